"""A peer that resets its connection at once has no address any more, and must not pass for a Unix socket: attack 36."""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ostiary.resource_server import FromProxy, UnixSocket
from ostiary.resource_server.asgi import AsgiGuard, peer_of
from ostiary.serving.http_protocol import OstiaryHttpProtocol
from tests.resource_server.certificates import bound_to, client_cert
from tests.resource_server.conftest import clock, issuer, world
from tests.resource_server.serving import served_asgi
from tests.resource_server.world import World

__all__ = ["clock", "issuer", "world"]

OWN = "client.example"


class Recorder:
    """Remembers each scope that arrives, before the guard and behind it."""

    def __init__(self, world: World) -> None:
        guard = world.guard(client_certificates=FromProxy("client-cert", proxy=UnixSocket()))
        self._guarded = AsgiGuard(self._inner, guard)
        self.arrived: list[Any] = []
        self.admitted = 0
        self.seen = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.arrived.append(scope)
        await self._guarded(scope, receive, send)
        self.seen.set()

    async def _inner(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        self.admitted += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize("http", ["auto", OstiaryHttpProtocol], ids=["uvicorn", "ostiary"])
def test_a_request_whose_sender_has_gone_did_not_come_by_a_unix_socket(world: World, http: Any) -> None:
    """uvicorn asks the socket for its peer when the connection is taken; after a reset there is none to be told."""
    app = Recorder(world)
    lines = [
        "POST /orders HTTP/1.1",
        "Host: a",
        "Content-Length: 0",
        f"Authorization: Bearer {world.token(**bound_to(OWN))}",
        f"Client-Cert: {client_cert(OWN)}",
    ]
    with served_asgi(app, http=http) as url:
        place = ("127.0.0.1", int(url.rsplit(":", 1)[1]))
        for _ in range(20):
            app.seen.clear()
            with socket.create_connection(place) as connection:
                # SO_LINGER of zero seconds: closing sends RST.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.sendall("\r\n".join([*lines, "", ""]).encode())
            app.seen.wait(5)
    assert app.admitted == 0
    # The attack was one: such requests do arrive, and without an address.
    assert [scope for scope in app.arrived if scope["client"] is None]
    assert not any(peer_of(scope).unix_socket for scope in app.arrived)


def test_a_request_by_a_unix_socket_is_one(world: World, tmp_path: Path) -> None:
    """The other half: what uvicorn says of a real Unix socket is what the guard looks for."""
    app = Recorder(world)
    headers = {"Authorization": f"Bearer {world.token(**bound_to(OWN))}", "Client-Cert": client_cert(OWN)}
    path = tmp_path / "api.sock"
    with served_asgi(app, unix_socket=path), httpx2.Client(transport=httpx2.HTTPTransport(uds=str(path))) as client:
        assert client.get("http://api/orders", headers=headers).status_code == 200
    assert app.admitted == 1
