"""A server behind a TLS door, over real sockets, in the test's own loop."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable

import uvicorn

from ostiary.serving.connections import AddressLimit
from ostiary.serving.http_protocol import Limits, limited_protocol
from ostiary.serving.listeners import bind
from ostiary.serving.process import StoppableServer
from ostiary.serving.tls.certificate import ServerCertificate, checked_certificate
from ostiary.serving.tls.client_trust import ClientTrust
from ostiary.serving.tls.door import Door
from ostiary.serving.tls.listener import ListenerTls
from tests.serving.certificates import NOW, Issued, issue
from tests.serving.test_http_protocol import Recorder

GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"


class House:
    """A server behind a door: its port, its listener's TLS, and the handshakes that failed."""

    def __init__(
        self, *, limit: AddressLimit | None = None, timeout: float = 5.0, trust: ClientTrust | None = None
    ) -> None:
        self.issued = issue("first")
        self.tls = ListenerTls("main", loaded(self.issued), trust)
        self.failed: list[tuple[str, Exception]] = []
        self.app = Recorder()
        self._door = Door(self.tls, timeout, lambda *one: self.failed.append(one))
        self._protocol = limited_protocol(Limits(2048, 5.0, limit))
        self.port = 0

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[StoppableServer]:
        sockets = bind("127.0.0.1", 0)
        self.port = sockets[0].getsockname()[1]
        config = uvicorn.Config(self.app, http=self._protocol, lifespan="off", log_config=None)
        server = StoppableServer(config, self._door)
        task = asyncio.create_task(server.serve(sockets=sockets))
        await server.ready.wait()
        try:
            yield server
        finally:
            server.should_exit = True
            await task

    async def connect(
        self, context: ssl.SSLContext, source: str = "127.0.0.1"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=context, server_hostname="localhost", local_addr=(source, 0)
        )


def loaded(issued: Issued) -> ServerCertificate:
    return checked_certificate(issued.chain, issued.key_pem, where="test", now=NOW.timestamp())


async def until(true: Callable[[], object]) -> None:
    """Return as soon as it is true. Raises TimeoutError."""
    deadline = time.monotonic() + 5.0
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError
        await asyncio.sleep(0)


def trusting(*issued: Issued) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for one in issued:
        context.load_verify_locations(cadata=one.der)
    return context
