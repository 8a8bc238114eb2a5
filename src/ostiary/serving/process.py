"""One serving process: the API sockets, the management sockets or both, in one event loop, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import uvicorn
from starlette.types import ASGIApp

from ostiary.serving.connections import AddressLimit
from ostiary.serving.http_protocol import Limits, OstiaryHttpProtocol, limited_protocol
from ostiary.serving.tls.door import Door
from ostiary.settings import Settings
from ostiary.tasks import end

GRACEFUL_SECONDS = 15  # how long requests in flight may take after a stop was asked for

_log = logging.getLogger(__name__)


class StoppableServer(uvicorn.Server):
    """A uvicorn server that leaves the signals to ``run_until_stopped``: several run in one loop.

    door: how connections come in over TLS, None without TLS.
    """

    def __init__(self, config: uvicorn.Config, door: Door | None = None) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self._door = door
        self._accepting: list[asyncio.Task[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self._door is None:
            await super().startup(sockets)
        else:
            await super().startup([])
            accepting = (self._door.accept(one, self._protocol, self.server_state.connections) for one in sockets or ())
            self._accepting = [asyncio.create_task(one) for one in accepting]
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await end(self._accepting)
        await super().shutdown(sockets)

    def _protocol(self) -> OstiaryHttpProtocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg, return-value]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def api_limits(settings: Settings) -> Limits:
    """The limits of the connections to the issuer's endpoints, counted together over the listeners of one process."""
    server = settings.server
    # Behind a proxy every connection has the proxy's address.
    per_address = None if server.behind_proxy else AddressLimit(server.max_connections_per_address)
    return Limits(server.max_header_bytes, server.request_timeout, per_address)


def counted(limits: Limits, settings: Settings) -> Limits:
    """``limits``, but with connections counted by address also behind a proxy: for a listener where TLS ends here."""
    if limits.per_address is not None:
        return limits
    return replace(limits, per_address=AddressLimit(settings.server.max_connections_per_address))


def api_server(app: ASGIApp, settings: Settings, limits: Limits, door: Door | None = None) -> StoppableServer:
    """A server of the issuer's endpoints, with our protocol and limits; door: what leads to it over TLS."""
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
            limit_concurrency=settings.server.max_connections,
        ),
        door,
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
    on_hangup: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then stop accepting, answer what is in flight, and return.

    on_hangup: is called at SIGHUP; without it that signal ends the process, as when a terminal is closed.
    """
    loop = asyncio.get_running_loop()

    def stop() -> None:
        _log.info("stopping: answering what is in flight")
        for server, _ in servers:
            server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if on_hangup is not None:
        loop.add_signal_handler(signal.SIGHUP, on_hangup)
    try:
        async with asyncio.TaskGroup() as group:
            for server, sockets in servers:
                group.create_task(server.serve(sockets=sockets))
            group.create_task(_announce([server for server, _ in servers], on_ready))
    finally:
        _stop_once(loop)


def _stop_once(loop: asyncio.AbstractEventLoop) -> None:
    """From now on a further signal does no harm: the process is on its way out, with an answer for everyone."""
    all_three = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    signal.pthread_sigmask(signal.SIG_BLOCK, all_three)  # one that comes between the next two lines would kill us
    for number in all_three:
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, all_three)


async def _announce(servers: list[StoppableServer], on_ready: Callable[[], None]) -> None:
    for server in servers:
        await server.ready.wait()
    on_ready()
