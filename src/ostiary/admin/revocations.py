"""Ends what an operator names, whatever its kind, with all that hangs on it: one transaction, one way for each kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from ostiary import revocation
from ostiary.admin.certificates import existing_certificate
from ostiary.admin.existing import NotThere, existing_client
from ostiary.admin.revocation_answers import EndedAnswer, RevocationAnswer
from ostiary.admin.revocation_commands import Kind, NewRevocation
from ostiary.admin.token_names import named_grant, named_token
from ostiary.admin.user_endings import existing_grant, existing_session
from ostiary.admin.users import user_called
from ostiary.revocation import Ended
from ostiary.revocation.act import Act
from ostiary.storage.base import Storage, UnitOfWork

MOST_TOKENS: Final = 1000


@dataclass(frozen=True, slots=True)
class _Done:
    kind: Kind
    name: str
    ended: Ended
    live_tokens: int | None = None


async def revoke(storage: Storage, issuer: str, command: NewRevocation, act: Act) -> RevocationAnswer:
    """End what ``command`` names. issuer: of the installation, for a token that is handed in whole.

    Raises ConfigurationError (NotThere if there is no such thing) and Unavailable; then nothing has ended.
    """
    reasoned = replace(act, reason=command.reason)
    async with storage.write() as work:
        done = await _ACTS[command.kind](work, issuer, command, reasoned)
        position = await work.revocations.position()
    if not position:
        # It had ended before, by a row that may have left the log: whoever has all of it has that one.
        position = (await storage.positions()).revocation
    return RevocationAnswer(
        kind=done.kind,
        name=done.name,
        ended_now=bool(done.ended),
        ended=EndedAnswer.model_validate(done.ended),
        live_tokens=done.live_tokens,
        position=position,
    )


async def _client(work: UnitOfWork, issuer: str, command: NewRevocation, act: Act) -> _Done:
    await existing_client(work, command.name)
    live = await work.tokens.count_of_client(command.name, now=int(act.now), most=MOST_TOKENS)
    ended = await revocation.revoke_client(work, command.name, act)
    return _Done("client", command.name, ended, live if ended else 0)


async def _user(work: UnitOfWork, issuer: str, command: NewRevocation, act: Act) -> _Done:
    user = await user_called(work, command.name)
    return _Done("user", user.user_id, await revocation.revoke_user(work, user.user_id, act))


async def _session(work: UnitOfWork, issuer: str, command: NewRevocation, act: Act) -> _Done:
    await existing_session(work, command.name)
    return _Done("session", command.name, await revocation.revoke_session(work, command.name, act))


async def _grant(work: UnitOfWork, issuer: str, command: NewRevocation, act: Act) -> _Done:
    await existing_grant(work, command.name)
    return _Done("grant", command.name, await revocation.revoke_grant(work, command.name, act))


async def _token(work: UnitOfWork, issuer: str, command: NewRevocation, act: Act) -> _Done:
    """A refresh token is its whole grant: RFC 7009 section 2.1."""
    grant_id = await named_grant(work, command.name)
    if grant_id is not None:
        return _Done("grant", grant_id, await revocation.revoke_grant(work, grant_id, act))
    token = await named_token(work, issuer, command.name, act.now)
    ended = await revocation.revoke_token(work, token, act)
    return _Done("token", token.jti, ended, ended.tokens)


async def _key(work: UnitOfWork, issuer: str, command: NewRevocation, act: Act) -> _Done:
    if command.client_id is not None:
        await existing_client(work, command.client_id)
        found, missing = await work.client_keys.get(command.client_id, command.name), "the client has no key"
    else:
        found, missing = await work.client_keys.by_thumbprint(command.name), "no client has a key of the thumbprint"
    if found is None:
        raise NotThere(
            f"{missing} {command.name!r}: see `ostiary client keys list CLIENT_ID`, which shows kids; a kid needs its"
            " client; a signing key of the installation goes by `ostiary keys rotate --compromised --kid KID`"
        )
    return _Done("key", found.thumbprint, await revocation.revoke_client_key(work, found.thumbprint, act))


async def _certificate(work: UnitOfWork, issuer: str, command: NewRevocation, act: Act) -> _Done:
    found = await existing_certificate(work, command.name)
    return _Done("certificate", found.serial, await revocation.revoke_certificate(work, found.serial, act))


_ACTS: Final[Mapping[Kind, Callable[[UnitOfWork, str, NewRevocation, Act], Awaitable[_Done]]]] = {
    "client": _client,
    "user": _user,
    "session": _session,
    "grant": _grant,
    "token": _token,
    "key": _key,
    "certificate": _certificate,
}
