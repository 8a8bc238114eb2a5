"""Revocation: RFC 7009. A client ends an access token of its own, of either format, or by a refresh token its grant."""

from __future__ import annotations

from functools import partial

from ostiary.audit import tags
from ostiary.authorization_server import issued_tokens
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.exchange import Answer, Exchange, authenticated
from ostiary.authorization_server.http import Response, json_response
from ostiary.authorization_server.issued_tokens import Named
from ostiary.errors import OAuthError, VerificationError
from ostiary.protocol import token_format
from ostiary.protocol.checks import CLIENT
from ostiary.revocation import NOTHING, Act, Ended, revoke_grant, revoke_token
from ostiary.storage.base import UnitOfWork


async def _decide(exchange: Exchange) -> Answer:
    token = exchange.form.get("token")
    if token is None:
        raise OAuthError("invalid_request", "token is missing", check="token", expected="the parameter token")
    if _is_refresh_token(token):
        return partial(_end_grant, exchange, token_format.digest(token))
    exchange.brief = True
    return partial(_answer, exchange, issued_tokens.named(exchange.server, token, exchange.now))


def _is_refresh_token(token: str) -> bool:
    try:
        return token_format.parse(token).kind == token_format.REFRESH_TOKEN
    except VerificationError:
        return False


async def _end_grant(exchange: Exchange, digest: bytes, work: UnitOfWork) -> Response:
    """RFC 7009 2: "Implementations MUST support the revocation of refresh tokens".

    2.1: "If the particular token is a refresh token and the authorization server supports the revocation of access
    tokens, then the authorization server SHOULD also invalidate all access tokens based on the same authorization
    grant."
    """
    token = await work.refresh_tokens.get(digest)
    if token is not None:
        _check_own(exchange, token.client_id)
    act = _act(exchange)
    ended = NOTHING if token is None else await revoke_grant(work, token.grant_id, act)
    return await _done(exchange, work, act, token.grant_id if token else "", ended)


async def _answer(exchange: Exchange, name: Named, work: UnitOfWork) -> Response:
    token = await name.find(work)
    if token is not None:
        _check_own(exchange, token.client_id)
    # "The authorization server responds with HTTP status code 200 if the token has been revoked successfully or if the
    # client submitted an invalid token." RFC 7009 2.2
    act = _act(exchange)
    ended = NOTHING if token is None else await revoke_token(work, token, act)
    return await _done(exchange, work, act, token.jti if token else "", ended)


def _check_own(exchange: Exchange, client_id: str) -> None:
    # "The authorization server first validates the client credentials (in case of a confidential client) and then
    # verifies whether the token was issued to the client making the revocation request. If this validation fails, the
    # request is refused and the client is informed of the error" RFC 7009 2.1
    caller = exchange.client.client.client_id
    if client_id != caller:
        raise OAuthError(
            "unauthorized_client",
            "the token was not issued to this client",
            check=CLIENT,
            seen=client_id,
            expected=caller,
            mend="let the token's own client revoke it, or the operator: ostiary token revoke",
        )


def _act(exchange: Exchange) -> Act:
    caller = exchange.client
    return Act(caller.client.client_id, exchange.now, "asked by its client", caller.key_thumbprint)


async def _done(exchange: Exchange, work: UnitOfWork, act: Act, target: str, ended: Ended) -> Response:
    if not ended:
        await work.audit.append(act.event(tags.REVOCATION_IGNORED, target))
    exchange.server.on_event("token_revoked", {"ended": "yes" if ended else "no"})
    return json_response({})


ENDPOINT = Endpoint(
    "revoke",
    "/revoke",
    ("POST",),
    # RFC 7009 5: a public client may end its own tokens; that they are its own is checked above.
    authenticated("revocation", tags.REVOCATION_REFUSED, _decide, public_clients=True),
    "revocation_endpoint",
    authenticates=True,
    cross_origin=True,
    public_clients=True,
)
