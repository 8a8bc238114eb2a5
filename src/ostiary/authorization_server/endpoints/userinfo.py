"""Userinfo: OpenID Connect Core 1.0 section 5.3. A client asks, with the user's access token, who the user is."""

from __future__ import annotations

from functools import partial

from ostiary.audit import tags
from ostiary.authorization_server import issued_tokens, refusals
from ostiary.authorization_server.authorization_code import facts_of
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.exchange import Exchange, read_form
from ostiary.authorization_server.http import Request, Response, json_response
from ostiary.authorization_server.sender_constraint import check_bound
from ostiary.authorization_server.user_claims import told
from ostiary.errors import OAuthError
from ostiary.model.client import Client
from ostiary.model.event import AuditEvent
from ostiary.model.token import AccessToken
from ostiary.protocol import challenges, jws, strict_json
from ostiary.storage.base import UnitOfWork
from ostiary.trace import Trace, new_trace_id

OPENID = "openid"


async def _userinfo(server: AuthorizationServer, request: Request) -> Response:
    exchange = Exchange(server, request, server.clock(), Trace("userinfo"), tags.USERINFO_REFUSED)
    try:
        await server.registry.current()  # the signing keys too: another process may have rotated them
        name = issued_tokens.named(server, _presented(request), exchange.now)
        async with server.storage.write() as work:
            client, members = await _told(exchange, name, work)
        return _answer(server, client, members)
    except OAuthError as error:
        return await _refused(exchange, error)
    except Exception as error:
        return await refusals.answer(exchange, error)


def _presented(request: Request) -> str:
    scheme, _, token = request.headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    if scheme:
        raise _no_token("another scheme than Bearer")
    # RFC 6750 2.2; never in the query (RFC 9700 4.3.2).
    token = read_form(request).get("access_token", "") if request.method == "POST" and request.body else ""
    if not token:
        raise _no_token("no access token")
    return token


async def _told(exchange: Exchange, name: issued_tokens.Named, work: UnitOfWork) -> tuple[Client, dict[str, object]]:
    token = await name.find(work)
    if token is None:
        raise _bad_token("no such token")
    api = await work.apis.get(token.audience)
    fault = await issued_tokens.fault(exchange.server, work, token, api, exchange.now)
    if fault is not None:
        raise _bad_token(fault)
    check_bound(token, exchange.request.peer_certificate)
    scopes = token.scope.split()
    if OPENID not in scopes:
        raise OAuthError(
            "insufficient_scope",
            "this token does not tell who the user is",
            status=403,
            check="scope",
            seen=token.scope,
            expected=OPENID,
            mend="ask for the scope openid, and for this token by no resource",
        )
    grant, client = await work.grants.get(token.grant_id), await work.clients.get(token.client_id)
    user = await work.users.get(grant.user_id) if grant is not None else None
    if grant is None or client is None or user is None or user.state != "active":
        raise _bad_token("its user is gone or disabled")
    await work.audit.append(_event(exchange, token))
    # OpenID Connect Core 5.3.2: "The sub (subject) Claim MUST always be returned in the UserInfo Response."
    return client, told(user, scopes, facts_of(grant).claims, "userinfo") | {"sub": token.subject}


def _answer(server: AuthorizationServer, client: Client, members: dict[str, object]) -> Response:
    alg = client.login.userinfo_alg if client.login is not None else None
    if alg is None:
        return json_response(members)
    # Core 5.3.2: "If signed, the UserInfo Response MUST contain the Claims iss (issuer) and aud (audience) as members."
    payload = strict_json.encode(members | {"iss": server.issuer, "aud": client.client_id})
    text = jws.sign(payload, server.signing_keys.current(alg), typ="JWT")
    return Response(200, ((b"content-type", b"application/jwt"), (b"cache-control", b"no-store")), text.encode("ascii"))


async def _refused(exchange: Exchange, error: OAuthError) -> Response:
    trace_id = new_trace_id()
    challenge = partial(challenges.bearer, realm="userinfo", trace=trace_id)
    # RFC 6750 3.1: "If the request lacks any authentication information ... SHOULD NOT include an error code".
    told_error = {} if error.check == "token" else {"error": error.code, "error_description": error.description}
    scope = OPENID if error.code == "insufficient_scope" else None
    error.headers["WWW-Authenticate"] = challenge(scope=scope, **told_error)
    return await refusals.answer(exchange, error, trace_id)


def _event(exchange: Exchange, token: AccessToken) -> AuditEvent:
    return AuditEvent(
        tags.USERINFO_TOLD,
        "allowed",
        int(exchange.now * 1000),
        actor=token.client_id,
        target=token.subject,
        details={"jti": token.jti},
    )


def _no_token(seen: str) -> OAuthError:
    return OAuthError(
        "invalid_request", "an access token is required", status=401, check="token", seen=seen, expected="Bearer"
    )


def _bad_token(seen: str) -> OAuthError:
    return OAuthError("invalid_token", "the access token is not good", status=401, check="access_token", seen=seen)


ENDPOINT = Endpoint(
    "userinfo",
    "/userinfo",
    ("GET", "POST"),
    _userinfo,
    "userinfo_endpoint",
    cross_origin=True,
    takes_bound_tokens=True,
)
