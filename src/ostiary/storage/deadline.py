"""A bound for what one unit of work may wait for PostgreSQL: a network that is cut tells nobody.

Cancelling is no way out, for the driver then asks the same silent database to cancel, and waits for that. So the
connection's own socket is shut down; the driver sees the end of the connection at once, and it is thrown away.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ostiary.errors import Unavailable
from ostiary.storage.base import Unanswered

if TYPE_CHECKING:
    import psycopg

    from ostiary.storage.connection import Row


class Deadline:
    """Seconds from entering it until the connection that it watches is broken off. expired: whether that has been."""

    __slots__ = ("_handle", "_seconds", "_then", "_watched", "expired")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._watched: psycopg.AsyncConnection[Row] | None = None
        self._then: Callable[[], None] | None = None
        self.expired = False

    def watch(self, connection: psycopg.AsyncConnection[Row]) -> None:
        """The connection that is waited for from now on."""
        self._watched = connection
        if self.expired:
            _break_off(connection)

    def then(self, act: Callable[[], None]) -> None:
        """What else is done at that moment, for those who wait for something else than the connection."""
        self._then = act

    def __enter__(self) -> Self:
        self._handle = asyncio.get_running_loop().call_later(self._seconds, self._end)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.cancel()
        if self.expired and isinstance(error, Unavailable):
            raise Unanswered("storage", f"the database did not answer within {self._seconds:g} s") from error

    def _end(self) -> None:
        self.expired = True
        if self._watched is not None:
            _break_off(self._watched)
        if self._then is not None:
            self._then()


def _break_off(connection: psycopg.AsyncConnection[Row]) -> None:
    if connection.closed:
        return
    # A second descriptor of the same socket: the driver goes on owning its own.
    with socket.socket(fileno=os.dup(connection.fileno())) as end, suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
