"""Access tokens in both formats: self-contained (RFC 9068) and reference, of which only the SHA-256 is kept."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.identifiers import new_jti
from ostiary.authorization_server.status_lists import signing as status_lists
from ostiary.model.api import Api
from ostiary.model.client import Client
from ostiary.model.grant import Grant
from ostiary.model.status_list import StatusPlace
from ostiary.model.token import AccessToken
from ostiary.protocol import access_token, jws, token_format
from ostiary.protocol.access_token import AccessTokenClaims
from ostiary.protocol.certificate_binding import X5T_S256
from ostiary.protocol.status_list import StatusReference


class SignedIn(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a user's token says of their sign-in (``AccessToken.claims``); auth_time: seconds since the epoch."""

    auth_time: int | None = None
    acr: str | None = None
    amr: tuple[str, ...] | None = None


_SIGNED_IN = msgspec.json.Decoder(SignedIn)
_NOBODY = SignedIn()


class Order(msgspec.Struct, frozen=True):
    """What a token is to be made of.

    key_thumbprint: the client key that proved it. rev: position of the revocation log, read before the decision.
    now: seconds since the epoch. claims, session_id: of a user's sign-in, as ``AccessToken`` keeps them.
    certificate_thumbprint: of the certificate that it is bound to (``x5t#S256``), "" for a bearer token.
    until: seconds since the epoch at which it ends at the latest, None if nothing more than its grant bounds it.
    """

    client: Client
    api: Api
    grant: Grant
    subject: str
    scopes: tuple[str, ...]
    key_thumbprint: str
    rev: int
    now: float
    claims: str = "{}"
    session_id: str = ""
    certificate_thumbprint: str = ""
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """A token that is ready to be written. text: the token itself, for its owner alone; record: what is kept of it."""

    text: str = field(repr=False)
    record: AccessToken

    @property
    def life(self) -> int:
        """Seconds that the token lives."""
        return self.record.expires_at - self.record.issued_at


async def issue(server: AuthorizationServer, order: Order) -> Issued:
    """A token for what was ordered, in the format that its API wants. Raises Unavailable if no key can sign it."""
    life = _life(order, server.settings.tokens.max_life)
    if order.api.token_format == "reference":
        text = token_format.generate(token_format.REFERENCE_ACCESS_TOKEN, await server.registry.installation())
        return Issued(text, _record(order, life, token_format.digest(text), None))
    signer = server.signing_keys.current(order.api.token_alg)
    place = await server.status_places.take(order.rev) if order.api.status_list else None
    record = _record(order, life, None, signer.kid, place)
    payload = access_token.build(claims(server.issuer, record))
    return Issued(jws.sign(payload, signer, typ=access_token.TYP), record)


def claims(issuer: str, token: AccessToken) -> AccessTokenClaims:
    """What a self-contained token says, and what introspection says of either format: RFC 9068 section 2.2."""
    signed_in = _SIGNED_IN.decode(token.claims) if token.claims != "{}" else _NOBODY
    return AccessTokenClaims(
        iss=issuer,
        sub=token.subject,
        aud=(token.audience,),
        exp=token.expires_at,
        iat=token.issued_at,
        jti=token.jti,
        client_id=token.client_id,
        scope=token.scope,
        grant_id=token.grant_id,
        rev=token.rev,
        client_key=token.key_thumbprint or None,
        # RFC 9068 2.2.1: with a user they "reflect the types and strength of authentication in the access token".
        auth_time=signed_in.auth_time,
        acr=signed_in.acr,
        amr=signed_in.amr,
        sid=token.session_id or None,
        # RFC 8705 3.1 and 3.2: the same confirmation in a token and at introspection.
        cnf={X5T_S256: token.certificate_thumbprint} if token.certificate_thumbprint else None,
        status=_status(issuer, token),
    )


def _status(issuer: str, token: AccessToken) -> dict[str, object] | None:
    """Where the token says that its status stands: draft-ietf-oauth-status-list-20 section 6.2."""
    if token.status_list is None or token.status_index is None:
        return None
    return StatusReference(token.status_index, status_lists.uri(issuer, token.status_list)).claim()


def _record(
    order: Order, life: int, digest: bytes | None, signing_kid: str | None, place: StatusPlace | None = None
) -> AccessToken:
    now = int(order.now)
    return AccessToken(
        jti=new_jti(order.now),
        format=order.api.token_format,
        digest=digest,
        client_id=order.client.client_id,
        subject=order.subject,
        grant_id=order.grant.grant_id,
        audience=order.api.identifier,
        scope=" ".join(order.scopes),
        key_thumbprint=order.key_thumbprint,
        signing_kid=signing_kid,
        rev=order.rev,
        issued_at=now,
        expires_at=now + life,
        claims=order.claims,
        session_id=order.session_id,
        certificate_thumbprint=order.certificate_thumbprint,
        status_list=place.list_id if place is not None else None,
        status_index=place.index if place is not None else None,
    )


def _life(order: Order, max_life: int) -> int:
    """Seconds: the shortest of what API, client, settings, grant and session allow."""
    bounds = [order.api.token_life, max_life]
    if order.client.token_life is not None:
        bounds.append(order.client.token_life)
    bounds += [end - int(order.now) for end in (order.grant.expires_at, order.until) if end is not None]
    return min(bounds)
