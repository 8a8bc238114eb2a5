"""The way in over TLS: the address is counted, the handshake is bounded in time, then HTTP begins.

Connections are accepted here, not by uvicorn, so that each handshake uses the context of its moment, so that a peer
counts before it has cost us a signature, and so that it is known whose handshake failed and why.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ostiary.serving.http_protocol import LINGER_SECONDS, OstiaryHttpProtocol
from ostiary.serving.tls.alerts import PEER
from ostiary.serving.tls.listener import ListenerTls

OnRefused = Callable[[str, Exception], None]
"""Is told that a handshake failed: the peer's address and the error."""

PAUSE: Final = 1.0
"""Seconds without accepting when the machine has no file descriptors or no memory left."""
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Door:
    """How a listener lets connections in.

    tls: of the listener. handshake_timeout: seconds.
    on_refused: is called for each handshake that failed, but not for those that were only broken off.
    """

    tls: ListenerTls
    handshake_timeout: float
    on_refused: OnRefused

    async def accept(
        self, listening: socket.socket, http: Callable[[], OstiaryHttpProtocol], connections: set[Any]
    ) -> None:
        """Let everybody in who comes to ``listening``, until this is cancelled.

        http: makes the protocol of a connection. connections: those of the server; a handshake is one of them.
        """
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(listening)
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    _log.error("no connection can be accepted: %s; it is tried again in %s s", error.strerror, PAUSE)
                    await asyncio.sleep(PAUSE)
                continue  # else it was gone before we came to it
            _Handshake(self, accepted, str(address[0]), connections).begin(http())


class _Handshake:
    """One connection from its acceptance to the end of its handshake."""

    def __init__(self, door: Door, accepted: socket.socket, address: str, connections: set[Any]) -> None:
        self._door = door
        self._accepted = accepted
        self._address = address
        self._connections = connections
        self._task: asyncio.Task[None] | None = None

    def begin(self, http: OstiaryHttpProtocol) -> None:
        """Shake hands, if the address has not too many connections already; there is no TLS yet to say 429 in."""
        limit = http.limits.per_address
        http.counted = "" if limit is None else limit.enter(self._address)
        if http.counted is None:
            self._accepted.close()
            return
        self._connections.add(self)
        self._task = asyncio.get_running_loop().create_task(self._shake_hands(http))

    def shutdown(self) -> None:
        """The server stops: nobody has asked for anything here yet."""
        if self._task is not None:
            self._task.cancel()

    async def _shake_hands(self, http: OstiaryHttpProtocol) -> None:
        PEER.set(self._accepted)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: http,
                self._accepted,
                ssl=await self._door.tls.context(),
                ssl_handshake_timeout=self._door.handshake_timeout,
                ssl_shutdown_timeout=LINGER_SECONDS,
            )
        except (ssl.SSLError, ConnectionAbortedError, TimeoutError) as error:
            self._door.on_refused(self._address, error)
        except OSError:
            pass  # the peer broke it off
        finally:
            self._connections.discard(self)
            http.give_back_unless_connected()
