"""Introspection: RFC 7662. An API asks whether a token that it was shown, of either format, is good.

With ``Accept: application/token-introspection+jwt`` it asks for a signed answer: RFC 9701 section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ostiary.audit import tags
from ostiary.authorization_server import accept, issued_tokens, tokens
from ostiary.authorization_server.callers import apis_of_caller
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.exchange import Answer, Exchange, authenticated
from ostiary.authorization_server.http import NOT_STORED, Response, json_response
from ostiary.authorization_server.issued_tokens import Named
from ostiary.errors import OAuthError
from ostiary.model.api import Api
from ostiary.model.event import AuditEvent
from ostiary.model.token import AccessToken
from ostiary.protocol import introspection_jwt, jws
from ostiary.storage.base import UnitOfWork

INACTIVE: dict[str, object] = {"active": False}
_OF_SOME = ("auth_time", "acr", "amr", "sid", "cnf", "client_key", "status")


async def _decide(exchange: Exchange) -> Answer:
    exchange.brief = True
    # The API that was disabled hears the truth about its tokens, not a refusal that it would take for a fault of ours.
    apis = await apis_of_caller(exchange, disabled_too=True)
    token = exchange.form.get("token")
    if token is None:
        raise OAuthError("invalid_request", "token is missing", check="token", expected="the parameter token")
    return partial(_answer, exchange, apis, issued_tokens.named(exchange.server, token, exchange.now))


async def _answer(exchange: Exchange, apis: Sequence[Api], name: Named, work: UnitOfWork) -> Response:
    token = await name.find(work)
    fault = await _fault(exchange, apis, token, work)
    await work.audit.append(_event(exchange, token, fault))
    exchange.server.on_event("introspected", {"active": "no" if fault else "yes"})
    # "If the introspection call is properly authorized but the token is not active, does not exist on this server, or
    # the protected resource is not allowed to introspect this particular token, then the authorization server MUST
    # return an introspection response with the 'active' field set to 'false'. Note that to avoid disclosing too much
    # of the authorization server's state to a third party, the authorization server SHOULD NOT include any additional
    # information about an inactive token, including why the token is inactive." RFC 7662 2.2
    told = INACTIVE if token is None or fault else members(exchange.server.issuer, token)
    if not accept.prefers(exchange.request.headers, introspection_jwt.MEDIA_TYPE, to="application/json"):
        return json_response(told)
    return _signed(exchange, apis, token, told)


def _signed(exchange: Exchange, apis: Sequence[Api], token: AccessToken | None, told: dict[str, object]) -> Response:
    """The same answer as a JWT, by the algorithm of the API's own tokens; Unavailable if no key can sign it."""
    mine = next((api for api in apis if token is not None and api.identifier == token.audience), apis[0])
    signer = exchange.server.signing_keys.current(mine.token_alg)
    # RFC 9701 5: aud is the API that receives the answer. Under all its names: clients of others know it as client_id,
    # and by its identifiers, all of them, nothing is told of the token.
    names = [exchange.client.client.client_id, *(api.identifier for api in apis)]
    payload = introspection_jwt.build(issuer=exchange.server.issuer, audience=names, answer=told, now=int(exchange.now))
    body = jws.sign(payload, signer, typ=introspection_jwt.TYP).encode("ascii")
    headers = ((b"content-type", introspection_jwt.MEDIA_TYPE.encode("ascii")), *NOT_STORED)
    return Response(200, headers, body)


async def _fault(exchange: Exchange, apis: Sequence[Api], token: AccessToken | None, work: UnitOfWork) -> str | None:
    if token is None:
        return "no such token"
    api = next((api for api in apis if api.identifier == token.audience), None)
    if api is None:
        return "for another API"
    # The exchange has compared the registry's position in this transaction.
    known = exchange.server.registry
    return await issued_tokens.fault(exchange.server, work, token, api, exchange.now, known=known)


def _event(exchange: Exchange, token: AccessToken | None, fault: str | None) -> AuditEvent:
    caller = exchange.client
    return AuditEvent(
        tags.TOKEN_INTROSPECTED,
        "refused" if fault else "allowed",
        int(exchange.now * 1000),
        actor=caller.client.client_id,
        target=token.jti if token else "",
        key_thumbprint=caller.key_thumbprint,
        reason=fault or "",
    )


def members(issuer: str, token: AccessToken) -> dict[str, object]:
    """What an API is told of a good token: RFC 7662 section 2.2, and the same claims as in a self-contained one."""
    claims = tokens.claims(issuer, token)
    # Two formats, one rule: what only some tokens say stands here as it stands in a self-contained one.
    of_some = {name: getattr(claims, name) for name in _OF_SOME if getattr(claims, name) is not None}
    return of_some | {
        "active": True,
        "iss": claims.iss,
        "sub": claims.sub,
        "aud": token.audience,
        "exp": token.expires_at,
        "iat": token.issued_at,
        "jti": claims.jti,
        "client_id": claims.client_id,
        "scope": claims.scope,
        "token_type": "Bearer",
        "grant_id": claims.grant_id,
        "rev": claims.rev,
    }


ENDPOINT = Endpoint(
    "introspect",
    "/introspect",
    ("POST",),
    authenticated("introspection", tags.INTROSPECTION_REFUSED, _decide),
    "introspection_endpoint",
    authenticates=True,
)
