"""Finds a token that was handed in among those that were issued, and says whether it is still good.

Two formats, one rule: a self-contained token is verified, then judged by its record exactly as a reference token is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.errors import VerificationError
from ostiary.model.api import Api
from ostiary.model.token import TAKEN_BEYOND_ITS_END, AccessToken
from ostiary.protocol import access_token, token_format
from ostiary.protocol import claims as common
from ostiary.protocol import jws as compact
from ostiary.revocation.sessions import OFFLINE_ACCESS
from ostiary.storage.base import UnitOfWork

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer
    from ostiary.authorization_server.registry import Registry


@dataclass(frozen=True, slots=True)
class Named:
    """What names a token: the ``jti`` of a verified self-contained one, or the digest of a reference token."""

    jti: str | None = None
    digest: bytes | None = None

    async def find(self, work: UnitOfWork) -> AccessToken | None:
        """Its record, None if there is none (any more)."""
        if self.digest is not None:
            return await work.tokens.by_digest(self.digest)
        return await work.tokens.by_jti(self.jti) if self.jti is not None else None


NOBODY = Named()


def named(server: AuthorizationServer, token: str, now: float) -> Named:
    """What ``token`` names, or NOBODY if it is no access token of ours that anybody could take at ``now``.

    One that expired a moment ago names its record, too: it can be revoked, and ``fault`` says that it is not good.
    RFC 7009 2.1 and RFC 7662 2.1 let callers hint at a type and the server look further: the format tells it all.
    """
    try:
        if token_format.looks_like(token):
            kind = token_format.parse(token).kind
            return Named(digest=token_format.digest(token)) if kind == token_format.REFERENCE_ACCESS_TOKEN else NOBODY
        return Named(jti=_verified_jti(server, token, now))
    except VerificationError:
        return NOBODY


def _verified_jti(server: AuthorizationServer, token: str, now: float) -> str | None:
    jws = compact.parse(token)
    # A key that was withdrawn or removed is not found, and with it nothing that it signed.
    key = server.signing_keys.verification_key(jws.header.kid) if jws.header.kid is not None else None
    if key is None:
        return None
    # Whom the token is for is checked against its record, by whoever asks; here it only has to name someone.
    audience = common.audiences(jws.claims())
    beyond = TAKEN_BEYOND_ITS_END
    return access_token.verify(jws, key, issuer=server.issuer, audience=audience, now=now, leeway=beyond).jti


async def fault(
    server: AuthorizationServer,
    work: UnitOfWork,
    token: AccessToken,
    api: Api | None,
    now: float,
    *,
    known: Registry | None = None,
) -> str | None:
    """Why ``token``, which is for ``api``, is not good at ``now`` (seconds since the epoch), None if it is.

    api: None for a token that is for the server's own endpoints.
    known: the registry, if the caller has compared its position with that of ``work``; then what it has need not be
    read again.

    "the authorization server MUST perform all applicable checks against a token's state": expiry, revocation, signature
    (RFC 7662 section 4), and that what it hangs on still stands.
    """
    if token.expires_at <= now:
        return "expired"
    if api is not None and api.state != "active":
        return "its API is disabled"
    if token.signing_kid is not None and server.signing_keys.verification_key(token.signing_kid) is None:
        return "its signing key is withdrawn"
    ending = await work.revocations.ends(token)
    if ending is not None:
        return f"revoked by {ending.kind}"
    client = known.known_client(token.client_id) if known is not None else None
    client = client or await work.clients.get(token.client_id)
    if client is None or client.state != "active":
        return "its client is disabled"
    grant = known.known_grant(token.grant_id) if known is not None else None
    grant = grant or await work.grants.get(token.grant_id)
    if grant is None or not grant.stands(now):
        return "its grant has ended"
    if grant.session_id and OFFLINE_ACCESS not in grant.scopes.get("", ()):
        session = await work.sessions.get(grant.session_id)
        if session is None or not session.stands(now):
            return "its session has ended"
    return None
