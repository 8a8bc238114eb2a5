"""The issuer's endpoints as one raw ASGI application: a dictionary of paths, no framework on the hot path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ostiary.authorization_server import cross_origin
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints import ENDPOINTS, Endpoint
from ostiary.authorization_server.endpoints.base import UPSTREAM
from ostiary.authorization_server.event_stream import EventStream, send_events
from ostiary.authorization_server.http import (
    ASGIApp,
    ClientGone,
    Listener,
    Receive,
    Response,
    Scope,
    Send,
    error_response,
    fault,
    json_response,
    read_request,
    send_response,
)
from ostiary.errors import OAuthError
from ostiary.trace import new_trace_id


def create_asgi(server: AuthorizationServer) -> ASGIApp:
    """The application that serves ``server`` below the path of its issuer, well-known paths at their own places."""
    return _Application(server, routes(server.issuer, server.settings.upstream), "main").serve


def create_mtls_asgi(server: AuthorizationServer, public_url: str) -> ASGIApp:
    """The application of the address for clients with certificates, below the path of its ``public_url``."""
    return _Application(server, mtls_routes(server.issuer, public_url), "mtls").serve


def routes(issuer: str, upstreams: Iterable[str] = ()) -> dict[str, Endpoint]:
    """Every path that is served, with its endpoint; one for each provider where ``{upstream}`` stands in it."""
    found: dict[str, Endpoint] = {}
    for endpoint in ENDPOINTS:
        for path in endpoint.paths(issuer):
            names = upstreams if UPSTREAM in path else ("",)
            found |= {path.replace(UPSTREAM, name): endpoint for name in names}
    return found


def mtls_routes(issuer: str, public_url: str) -> dict[str, Endpoint]:
    """What clients with certificates are served: the aliases, and the documents that any client reads. No pages."""
    found: dict[str, Endpoint] = {}
    for endpoint in ENDPOINTS:
        if endpoint.wants_certificates or endpoint.name == "jwks":
            found |= dict.fromkeys(endpoint.paths(public_url), endpoint)
        elif endpoint.name == "metadata":
            found |= dict.fromkeys(endpoint.paths(issuer), endpoint)
    return found


class _Application:
    def __init__(self, server: AuthorizationServer, served: Mapping[str, Endpoint], listener: Listener) -> None:
        self._server = server
        self._routes = served
        self._listener: Listener = listener
        self._folders = [(path, endpoint) for path, endpoint in self._routes.items() if path.endswith("/")]
        self._max_body: int = server.settings.server.max_body_bytes

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        method: str = scope["method"]
        endpoint = self._routes.get(scope["path"]) or self._below(scope["path"])
        if endpoint is None:
            response = self._not_found()
        elif method == "OPTIONS" and endpoint.cross_origin and cross_origin.is_preflight(scope["headers"]):
            response = cross_origin.preflight(endpoint.methods)
        elif method not in endpoint.methods:
            response = _method_not_allowed(endpoint)
        else:
            try:
                request = await read_request(scope, receive, self._max_body, self._listener)
                response = await endpoint.handler(self._server, request)
            except ClientGone:
                return
            except Exception as error:
                response = self._refused(error, endpoint.name, scope)
            if endpoint.cross_origin:
                cross_origin.allow(response)
        if isinstance(response, EventStream):
            await send_events(scope, receive, send, response)
            return
        await send_response(scope, send, response, head=method == "HEAD")

    def _below(self, path: str) -> Endpoint | None:
        # Nothing of ours has U+0000 in its name, and PostgreSQL cannot even be asked for it.
        if "\0" in path:
            return None
        return next((endpoint for folder, endpoint in self._folders if path.startswith(folder)), None)

    def _not_found(self) -> Response:
        members = {"error": "not_found"}
        if self._listener == "mtls":
            issuer = self._server.issuer
            members["error_description"] = f"only clients with certificates are served here; all else is at {issuer}"
        return json_response(members, status=404)

    def _refused(self, error: Exception, where: str, scope: Scope) -> Response:
        """The answer to an error that nobody recorded: it came before the request was read, or it is a fault of ours.

        Such refusals are counted and cost no rows, so that they cannot be used to fill the database.
        """
        if not isinstance(error, OAuthError):
            return fault(error, where)
        trace_id, client = new_trace_id(), scope.get("client")
        address = client[0] if client else ""
        self._server.unauthenticated.count(error, address, where, trace_id, now=self._server.clock())
        return error_response(error, trace_id)


def _method_not_allowed(endpoint: Endpoint) -> Response:
    response = json_response({"error": "invalid_request", "error_description": "method not allowed"}, status=405)
    response.headers += ((b"allow", ", ".join(endpoint.methods).encode()),)
    return response


async def _live(receive: Receive, send: Send) -> None:
    while True:
        phase = (await receive())["type"].removeprefix("lifespan.")
        await send({"type": f"lifespan.{phase}.complete"})
        if phase == "shutdown":
            return
