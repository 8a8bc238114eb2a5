"""Access tokens in both formats: self-contained (RFC 9068) and reference, of which only the SHA-256 is kept."""

from __future__ import annotations

from dataclasses import dataclass

from ostiary.authorization_server.exchange import Exchange
from ostiary.authorization_server.grants.base import Approval
from ostiary.authorization_server.identifiers import new_jti
from ostiary.model.token import AccessToken
from ostiary.protocol import access_token, jws, token_format
from ostiary.protocol.access_token import AccessTokenClaims


@dataclass(frozen=True, slots=True)
class Issued:
    """A token that is ready to be written. text: the token itself, for its owner alone; record: what is kept of it."""

    text: str
    record: AccessToken

    @property
    def life(self) -> int:
        """Seconds that the token lives."""
        return self.record.expires_at - self.record.issued_at

    def __repr__(self) -> str:
        return f"Issued({self.record.jti})"


async def issue(exchange: Exchange, approval: Approval) -> Issued:
    """A token for what was approved, in the format that its API wants. Raises Unavailable if no key can sign it."""
    if approval.api.token_format == "reference":
        installation = await exchange.server.registry.installation()
        text = token_format.generate(token_format.REFERENCE_ACCESS_TOKEN, installation)
        return Issued(text, _record(exchange, approval, token_format.digest(text), None))
    signer = exchange.server.signing_keys.current(approval.api.token_alg)
    record = _record(exchange, approval, None, signer.kid)
    payload = access_token.build(claims(exchange.server.issuer, record))
    return Issued(jws.sign(payload, signer, typ=access_token.TYP), record)


def claims(issuer: str, token: AccessToken) -> AccessTokenClaims:
    """What a self-contained token says, and what introspection says of either format: RFC 9068 section 2.2."""
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
    )


def _record(exchange: Exchange, approval: Approval, digest: bytes | None, signing_kid: str | None) -> AccessToken:
    caller = exchange.client
    now = int(exchange.now)
    return AccessToken(
        jti=new_jti(exchange.now),
        format=approval.api.token_format,
        digest=digest,
        client_id=caller.client.client_id,
        subject=approval.subject,
        grant_id=approval.grant.grant_id,
        audience=approval.api.identifier,
        scope=" ".join(approval.scopes),
        key_thumbprint=caller.key_thumbprint,
        signing_kid=signing_kid,
        rev=exchange.positions.revocation,
        issued_at=now,
        expires_at=now + _life(exchange, approval, now),
    )


def _life(exchange: Exchange, approval: Approval, now: int) -> int:
    """Seconds: the shortest of what API, client, settings and grant allow."""
    bounds = [approval.api.token_life, exchange.server.settings.tokens.max_life]
    if exchange.client.client.token_life is not None:
        bounds.append(exchange.client.client.token_life)
    if approval.grant.expires_at is not None:
        bounds.append(approval.grant.expires_at - now)
    return min(bounds)
