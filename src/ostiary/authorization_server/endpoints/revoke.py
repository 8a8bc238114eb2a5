"""Revocation: RFC 7009. A client ends a token of its own, of either format; at once, at introspection."""

from __future__ import annotations

from functools import partial

from ostiary.audit import tags
from ostiary.authorization_server import issued_tokens
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.exchange import Answer, Exchange, authenticated
from ostiary.authorization_server.http import Response, json_response
from ostiary.authorization_server.issued_tokens import Named
from ostiary.errors import OAuthError
from ostiary.protocol.checks import CLIENT
from ostiary.revocation import Act, revoke_token
from ostiary.storage.base import UnitOfWork


async def _decide(exchange: Exchange) -> Answer:
    token = exchange.form.get("token")
    if token is None:
        raise OAuthError("invalid_request", "token is missing", check="token", expected="the parameter token")
    return partial(_answer, exchange, issued_tokens.named(exchange.server, token, exchange.now))


async def _answer(exchange: Exchange, name: Named, work: UnitOfWork) -> Response:
    caller = exchange.client
    token = await name.find(work)
    # "The authorization server first validates the client credentials (in case of a confidential client) and then
    # verifies whether the token was issued to the client making the revocation request. If this validation fails, the
    # request is refused and the client is informed of the error" RFC 7009 2.1
    if token is not None and token.client_id != caller.client.client_id:
        raise OAuthError(
            "unauthorized_client",
            "the token was not issued to this client",
            check=CLIENT,
            seen=token.client_id,
            expected=caller.client.client_id,
            mend="let the token's own client revoke it, or the operator: ostiary token revoke",
        )
    # "The authorization server responds with HTTP status code 200 if the token has been revoked successfully or if the
    # client submitted an invalid token." RFC 7009 2.2
    act = Act(caller.client.client_id, exchange.now, "asked by its client", caller.key_thumbprint)
    ended = token is not None and await revoke_token(work, token, act)
    if not ended:
        await work.audit.append(act.event(tags.REVOCATION_IGNORED, token.jti if token else ""))
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
