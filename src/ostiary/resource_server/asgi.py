"""The guard in front of an ASGI application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, MutableMapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ostiary.resource_server.admission import admit
from ostiary.resource_server.errors import Refused
from ostiary.resource_server.peer import Peer
from ostiary.resource_server.request import ApiRequest

if TYPE_CHECKING:
    from ostiary.resource_server.core import ResourceServer

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def api_request(scope: Scope) -> ApiRequest:
    """The request of an ASGI scope of type http or websocket."""
    raw = scope.get("raw_path")
    path = raw.decode("latin-1") if raw else quote(scope["path"], safe="/%:@!$&'()*+,;=~-._")
    return ApiRequest(
        scope.get("method", "GET"),
        path.split("?", 1)[0],
        headers=scope["headers"],
        query=scope.get("query_string", b""),
        peer=partial(peer_of, scope),
    )


def peer_of(scope: Scope) -> Peer:
    """The peer of an ASGI scope, from its TLS extension: DER as our own server has it, or the chain in PEM.

    A Unix socket is one that ``server`` names, with a path and no port. That there is no ``client`` does not suffice:
    of a peer that has reset its connection, uvicorn knows no address either, and still runs the request.
    """
    tls = (scope.get("extensions") or {}).get("tls") or {}
    certificate = tls.get("client_certificate")
    if certificate is None:
        certificate = next(iter(tls.get("client_cert_chain") or ()), None)
    server = scope.get("server")
    return Peer(
        certificate=certificate,
        refused=tls.get("client_cert_error") or "",
        unix_socket=scope.get("client") is None and server is not None and server[1] is None,
    )


class AsgiGuard:
    """Lets through whoever the guard admits; the Principal is ``scope["state"]["principal"]``.

    Nobody passes without a credential, a browser's preflight (OPTIONS) neither: the layer that answers it
    (``CORSMiddleware``) stands in front of the guard. HEAD is decided as GET is.
    scopes: needed for every request. public: paths that anyone may ask for, such as ``/healthz``.
    """

    def __init__(
        self, app: App, guard: ResourceServer, *, scopes: Sequence[str] = (), public: Collection[str] = ()
    ) -> None:
        self._app = app
        self._guard = guard
        self._scopes = tuple(scopes)
        self._public = frozenset(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self._app(scope, receive, send)
            return
        if kind not in ("http", "websocket"):
            raise RuntimeError(f"The guard does not know connections of the type {kind!r}, and lets none of them pass.")
        path = scope["path"]
        if kind == "http" and path == self._guard.metadata_path and scope["method"] in ("GET", "HEAD"):
            document = self._guard.protected_resource_metadata()
            await _answer(send, 200, {"Content-Type": "application/json"}, document, head=scope["method"] == "HEAD")
            return
        if path not in self._public:
            try:
                principal = await admit(self._guard, api_request(scope), self._scopes, scope)
            except Refused as refused:
                await _refuse(kind, scope, receive, send, refused)
                return
            scope.setdefault("state", {})["principal"] = principal
        await self._app(scope, receive, send)


async def _refuse(kind: str, scope: Scope, receive: Receive, send: Send, refused: Refused) -> None:
    if kind == "http":
        await _answer(send, refused.status, refused.headers, refused.body, head=scope["method"] == "HEAD")
        return
    await receive()  # websocket.connect
    if "websocket.http.response" in scope.get("extensions", {}):
        await _answer(send, refused.status, refused.headers, refused.body, prefix="websocket.")
    else:
        await send({"type": "websocket.close", "code": 1008, "reason": refused.description})


async def _answer(
    send: Send, status: int, headers: dict[str, str], body: bytes, prefix: str = "", *, head: bool = False
) -> None:
    """head: without its body, whose length is told nevertheless (RFC 9110 section 9.3.2)."""
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    pairs.append((b"content-length", str(len(body)).encode()))
    await send({"type": f"{prefix}http.response.start", "status": status, "headers": pairs})
    await send({"type": f"{prefix}http.response.body", "body": b"" if head else body})
