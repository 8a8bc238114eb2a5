"""Who may manage a stream and fetch its events: an access token of our own for this API, of the client itself.

RFC 6750, SSF 1.0 section 9. One receiver is one client; what is another's is answered as what does not exist.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from ostiary.audit import tags
from ostiary.authorization_server import issued_tokens, refusals
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.exchange import Exchange, Handler
from ostiary.authorization_server.form import parse
from ostiary.authorization_server.http import Request, Response
from ostiary.authorization_server.sender_constraint import check_bound
from ostiary.authorization_server.signals_resource import MANAGE, READ, signals_identifier
from ostiary.errors import OAuthError, VerificationError
from ostiary.model.client import Client
from ostiary.model.event import AuditEvent
from ostiary.model.signal import SignalStream
from ostiary.model.token import AccessToken
from ostiary.protocol import challenges, strict_json
from ostiary.storage.base import UnitOfWork
from ostiary.trace import Trace, new_trace_id

NO_CONTENT = ((b"cache-control", b"no-store"),)


@dataclass(frozen=True, slots=True)
class Call:
    """An admitted request. members: of its JSON body, or of its query where there is none."""

    server: AuthorizationServer
    client: Client
    members: dict[str, object]
    method: str
    path: str
    now: float

    def event(self, tag: str, target: str, **details: str) -> AuditEvent:
        """The audit event of what the receiver has done."""
        at = int(self.now * 1000)
        return AuditEvent(tag, "done", at, actor=self.client.client_id, target=target, details=details)

    async def stream(self, work: UnitOfWork, stream_id: object = None) -> SignalStream:
        """The receiver's stream that the request names. Raises OAuthError (404) for one of somebody else's too."""
        named = self.members.get("stream_id") if stream_id is None else stream_id
        found = await work.signal_streams.of_client(self.client.client_id)
        if found is None or found.stream_id != named:
            raise OAuthError("not_found", "there is no such stream of yours", status=404, check="stream")
        return found


Answer = Callable[[Call, UnitOfWork], Awaitable[Response]]


def receivers_alone(answer: Answer) -> Handler:
    """The handler of an endpoint for receivers: ``answer`` runs in one transaction with the look at the token.

    Reading (GET) asks for one of both scopes, everything else for ``ssf.manage``.
    """

    async def handler(server: AuthorizationServer, request: Request) -> Response:
        exchange = Exchange(server, request, server.clock(), Trace("signals"), tags.SIGNALS_REFUSED)
        scope = READ if request.method == "GET" else MANAGE
        try:
            members = members_of(request)
            return await in_transaction(exchange, members, scope, answer)
        except Exception as error:
            return await refused(exchange, error, scope)

    return handler


async def in_transaction(exchange: Exchange, members: dict[str, object], scope: str, answer: Answer) -> Response:
    """Judge the token and answer, in one unit of work. Raises OAuthError, Unavailable."""
    server, request = exchange.server, exchange.request
    await server.registry.current()  # the signing keys too: another process may have rotated them
    name = issued_tokens.named(server, _bearer(request), exchange.now)
    transaction = server.storage.read if request.method == "GET" else server.storage.write
    async with transaction() as work:
        client = await _admitted(exchange, name, scope, work)
        return await answer(Call(server, client, members, request.method, request.path, exchange.now), work)


async def refused(exchange: Exchange, error: Exception, scope: str) -> Response:
    """The answer to a refusal, on record; 401 and 403 with their challenge (RFC 6750 section 3)."""
    trace_id = new_trace_id()
    if isinstance(error, OAuthError) and error.status in (401, 403):
        told = {} if error.check == "token" else {"error": error.code, "error_description": error.description}
        challenge = partial(challenges.bearer, realm="signals", scope=scope, trace=trace_id)
        error.headers["WWW-Authenticate"] = challenge(**told)
    return await refusals.answer(exchange, error, trace_id)


def members_of(request: Request) -> dict[str, object]:
    """The members of the JSON body, of the query for GET and DELETE. Raises OAuthError("invalid_request")."""
    if request.method in ("GET", "DELETE"):
        return dict(parse(request.query))
    try:
        return strict_json.decode_object(request.body)
    except VerificationError as error:
        raise OAuthError.of(error) from None


async def _admitted(exchange: Exchange, name: issued_tokens.Named, scope: str, work: UnitOfWork) -> Client:
    token = await name.find(work)
    if token is None:
        raise _bad_token("no such token", "a token of this issuer")
    exchange.trace.context["client_id"] = token.client_id
    await _check(exchange, token, work)
    held = token.scope.split()
    # What changes a stream may also see it.
    if scope not in held and not (scope == READ and MANAGE in held):
        raise OAuthError(
            "insufficient_scope",
            f"the scope {scope} is needed",
            status=403,
            check="scope",
            seen=token.scope,
            expected=scope,
            mend="give the client both scopes: ostiary signal allow CLIENT_ID",
        )
    client = await work.clients.get(token.client_id)
    if client is None:
        raise _bad_token("its client is gone", "a client")
    return client


async def _check(exchange: Exchange, token: AccessToken, work: UnitOfWork) -> None:
    server = exchange.server
    expected = signals_identifier(server.issuer)
    if token.audience != expected:
        raise _bad_token(f"a token for {token.audience}", expected)
    if token.subject != token.client_id:
        # What a user allows an application is the user's: nobody is told of others by a consent.
        raise _bad_token("a token of a user", "a token of the client itself (client_credentials)")
    fault = await issued_tokens.fault(server, work, token, await work.apis.get(expected), exchange.now)
    if fault is not None:
        raise _bad_token(fault, "an active token")
    check_bound(token, exchange.request.peer_certificate)


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise OAuthError(
            "invalid_request",
            "an access token is required",
            status=401,
            check="token",
            expected="Authorization: Bearer",
        )
    return token.strip()


def _bad_token(seen: str, expected: str) -> OAuthError:
    return OAuthError(
        "invalid_token",
        "the access token is not good",
        status=401,
        check="access_token",
        seen=seen,
        expected=expected,
        mend="get a token by client_credentials for this API: see ostiary signal allow",
    )
