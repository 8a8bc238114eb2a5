"""One serving process: the API sockets, the management sockets or both, in one event loop, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Sequence

import uvicorn
from starlette.types import ASGIApp

from ostiary.serving.connections import AddressLimit
from ostiary.serving.http_protocol import Limits, limited_protocol
from ostiary.settings import Settings

GRACEFUL_SECONDS = 15  # how long requests in flight may take after a stop was asked for

_log = logging.getLogger(__name__)


class StoppableServer(uvicorn.Server):
    """A uvicorn server that leaves the signals to ``run_until_stopped``: several run in one loop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def api_server(app: ASGIApp, settings: Settings) -> StoppableServer:
    """The server of the issuer's endpoints, with our protocol, limits and, if given, the certificate files."""
    server = settings.server
    # Behind a proxy every connection has the proxy's address.
    per_address = None if server.behind_proxy else AddressLimit(server.max_connections_per_address)
    limits = Limits(server.max_header_bytes, server.request_timeout, per_address)
    return StoppableServer(
        uvicorn.Config(
            app,
            http=limited_protocol(limits),
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=60,
            timeout_graceful_shutdown=GRACEFUL_SECONDS,
            limit_concurrency=server.max_connections,
            ssl_certfile=server.tls_certificate_file,
            ssl_keyfile=server.tls_private_key_file,
        )
    )


def management_server(app: ASGIApp, settings: Settings) -> StoppableServer:
    """The server of the management address: loopback or a proxy, so its connections are bounded as a whole alone."""
    return StoppableServer(
        uvicorn.Config(
            app,
            http=limited_protocol(Limits()),
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACEFUL_SECONDS,
            limit_concurrency=settings.management.max_connections,
        )
    )


async def run_until_stopped(
    servers: Sequence[tuple[StoppableServer, list[socket.socket]]],
    *,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then stop accepting, answer what is in flight, and return."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        _log.info("stopping: answering what is in flight")
        for server, _ in servers:
            server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        async with asyncio.TaskGroup() as group:
            for server, sockets in servers:
                group.create_task(server.serve(sockets=sockets))
            group.create_task(_announce([server for server, _ in servers], on_ready))
    finally:
        _stop_once(loop)


def _stop_once(loop: asyncio.AbstractEventLoop) -> None:
    """From now on a second signal does no harm: the process is on its way out, with an answer for everyone."""
    both = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, both)  # one that comes between the next two lines would kill us
    for number in both:
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, both)


async def _announce(servers: list[StoppableServer], on_ready: Callable[[], None]) -> None:
    for server in servers:
        await server.ready.wait()
    on_ready()
