"""Authorization codes: made once for one client, one redirect URI and one challenge; kept as digests, spent once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ostiary.audit import tags
from ostiary.authorization_server.authorization.decision import Account
from ostiary.authorization_server.authorization.request import AuthorizationRequest
from ostiary.authorization_server.identifiers import new_grant_id
from ostiary.errors import OAuthError
from ostiary.model.artifact import OneTimeArtifact
from ostiary.model.event import AuditEvent
from ostiary.model.grant import Grant
from ostiary.protocol import token_format
from ostiary.storage.base import UnitOfWork

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

KIND: Final = "authorization_code"
REMEMBERED: Final = 3600
"""Seconds for which a spent code is known as one, so that its second use ends what came of the first."""


class CodePayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a code stands for: RFC 9700 4.5.3 binds it to the transaction.

    good_until: seconds since the epoch. redirect_uri: as sent, "" if it was left out. nonce: for the ID token.
    """

    grant_id: str
    client_id: str
    good_until: int
    redirect_uri: str = ""
    code_challenge: str | None = None
    nonce: str | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a grant of a user says of their sign-in, and which claims were asked for one by one (``Grant.facts``)."""

    auth_time: int
    acr: str
    amr: tuple[str, ...]
    claims: dict[str, dict[str, object]] = {}


_PAYLOAD = msgspec.json.Decoder(CodePayload)
_FACTS = msgspec.json.Decoder(Facts)


def payload_of(artifact: OneTimeArtifact) -> CodePayload:
    """What the artifact of a code says."""
    return _PAYLOAD.decode(artifact.payload)


def facts_of(grant: Grant) -> Facts:
    """What the grant of a user says of their sign-in."""
    return _FACTS.decode(grant.facts)


async def issue(work: UnitOfWork, server: AuthorizationServer, request: AuthorizationRequest, account: Account) -> str:
    """A code for ``account``, with the grant that it stands for.

    Raises OAuthError("login_required") if the session or the account ended meanwhile; then nothing is written.
    """
    now = int(request.now)
    user = await work.users.hold(account.user.user_id)
    session = await work.sessions.get(account.session.session_id)
    if session is None or not session.stands(now) or user is None or user.state != "active":
        raise OAuthError("login_required", "the user is not signed in any more", check="session", seen="ended")
    grant = _grant(server, request, account)
    await work.grants.add(grant)
    code = token_format.generate(token_format.AUTHORIZATION_CODE, await server.registry.installation())
    payload = CodePayload(
        grant_id=grant.grant_id,
        client_id=request.client.client_id,
        good_until=now + server.settings.authorization.code_life,
        redirect_uri=request.parameters.get("redirect_uri", ""),
        code_challenge=request.parameters.get("code_challenge"),
        nonce=request.parameters.get("nonce"),
    )
    text = msgspec.json.encode(payload).decode()
    await work.artifacts.add(OneTimeArtifact(KIND, token_format.digest(code), text, now, now + REMEMBERED))
    await work.audit.append(_event(request, account, grant))
    return code


def _grant(server: AuthorizationServer, request: AuthorizationRequest, account: Account) -> Grant:
    now, session = int(request.now), account.session
    facts = Facts(auth_time=session.auth_time, acr=session.acr, amr=session.amr, claims=request.claims)
    return Grant(
        grant_id=new_grant_id(request.now),
        client_id=request.client.client_id,
        subject=account.subject,
        kind=KIND,
        created_at=now,
        # Long enough for one access token: a grant whose code is never redeemed does not stay for months.
        expires_at=now + server.settings.authorization.code_life + server.settings.tokens.max_life,
        ended_at=None,
        user_id=account.user.user_id,
        session_id=session.session_id,
        scopes=dict(request.scopes),
        facts=msgspec.json.encode(facts).decode(),
    )


def _event(request: AuthorizationRequest, account: Account, grant: Grant) -> AuditEvent:
    scopes = " ".join(name for names in request.scopes.values() for name in names)
    return AuditEvent(
        tags.AUTHORIZATION_GRANTED,
        "allowed",
        int(request.now * 1000),
        actor=f"user:{account.user.user_id}",
        target=grant.grant_id,
        details={
            "client_id": grant.client_id,
            "session_id": grant.session_id,
            "scope": scopes,
            "resources": " ".join(filter(None, request.scopes)),
        },
    )
