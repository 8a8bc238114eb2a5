"""Statements on one PostgreSQL connection in libpq's pipeline mode: several travel together and are answered together.

https://www.postgresql.org/docs/current/libpq-pipeline-mode.html

Why not through psycopg's own cursors: each of their statements is a trip of its own through the event loop, with a
watch on the socket that is set up and taken down again, and costs 80 us of CPU; its pipeline costs as much for each.
Here the socket is watched for as long as the connection lives, a trip costs 40 us, and each statement in it 5.

A trip ends at its Sync, and fails as a whole from its first failure on: the server skips what comes after that. The
transaction that it was in then waits for a ROLLBACK. psycopg goes on making the connections, reading rows and naming
errors.
"""

from __future__ import annotations

import asyncio
import select
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

    from ostiary.storage.connection import Row

_PREPARED_AT_MOST: Final = 500
_GOOD: Final = frozenset({int(ExecStatus.COMMAND_OK), int(ExecStatus.TUPLES_OK)})
_SYNC: Final = int(ExecStatus.PIPELINE_SYNC)
_BAD: Final = int(ConnStatus.BAD)
_OUTDATED: Final = ("0A000", "26000")
"""What was prepared is not good any more: a table's columns have another type, or it was discarded."""
_TEXT: Final = 0
_BINARY: Final = 1

Values = Sequence[Any]


class _Command:
    """A statement with its values as they travel."""

    __slots__ = ("answer", "formats", "text", "values")

    def __init__(self, text: str, values: Values) -> None:
        self.text = text
        self.answer: asyncio.Future[PGresult] | None = None
        self.values: list[bytes | None] = []
        self.formats: list[int] = []
        for value in values:
            self._add(value)

    def _add(self, value: object) -> None:
        written: bytes | None
        kind = _TEXT
        if isinstance(value, str):
            if "\0" in value:
                # libpq reads a text up to its first zero: what follows would be lost without a word.
                raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
            written = value.encode()
        elif value is None:
            written = None
        elif isinstance(value, bool):
            written = b"t" if value else b"f"
        elif isinstance(value, int):
            written = b"%d" % value
        elif isinstance(value, bytes):
            written, kind = value, _BINARY
        else:
            raise psycopg.ProgrammingError(f"no column keeps a {type(value).__name__}")
        self.values.append(written)
        self.formats.append(kind)


class _Trip:
    """Statements that were sent together. answer: ends with it; failure: of the first that failed.

    parts: what is answered one by one, the text where it is a preparation; results: so far.
    """

    __slots__ = ("answer", "asked", "failure", "parts", "results")

    def __init__(self, answer: asyncio.Future[None], asked: list[asyncio.Future[PGresult] | None]) -> None:
        self.answer = answer
        self.asked = asked
        self.parts: list[str | None] = []
        self.results: list[PGresult] = []
        self.failure: psycopg.Error | None = None

    def answers(self) -> list[PGresult]:
        """Of the statements, in their order. Raises psycopg.Error, of the first that failed."""
        if self.failure is not None:
            raise self.failure
        if len(self.parts) == self.parts.count(None):
            return self.results
        return [result for part, result in zip(self.parts, self.results, strict=True) if part is None]

    def arrive(self) -> None:
        """Let whoever waits go on, if they have not gone."""
        if not self.answer.done():
            self.answer.set_result(None)
        answers = [] if self.failure is not None else self.answers()
        for place, asked in enumerate(self.asked):
            if asked is None or asked.done():
                continue
            if self.failure is not None:
                asked.set_exception(self.failure)
            else:
                asked.set_result(answers[place])


class Journal:
    """What several connections did together. trips: how often one was sent something and then waited for."""

    __slots__ = ("trips",)

    def __init__(self) -> None:
        self.trips = 0


class Wire:
    """The statements of one connection, which it takes over.

    failed: one of this transaction has; whoever rolls it back says that this is over. shared: several ask at once, so
    that a trip begins when this turn of the event loop has ended, with all that they asked in it.
    """

    def __init__(self, raw: psycopg.AsyncConnection[Row], journal: Journal | None = None) -> None:
        """raw: in autocommit mode, with client_encoding UTF8; nothing else may run statements on it from now on."""
        self._raw = raw
        self._libpq = raw.pgconn
        self._loop = asyncio.get_running_loop()
        self._socket = raw.fileno()
        self._watched = True
        self._owed: list[_Command] = []
        self._trips: deque[_Trip] = deque()
        self._seen: set[str] = set()
        self._prepared: dict[str, bytes] = {}
        self._named = 0
        self._rows = Transformer(raw)
        self._journal = journal or Journal()
        self.failed = self.shared = self._due = False
        self._libpq.nonblocking = 1
        self._libpq.enter_pipeline_mode()
        self._loop.add_reader(self._socket, self._read)

    def put(self, text: str, values: Values = ()) -> None:
        """Have a statement travel with the next trip."""
        self._owed.append(_Command(text, values))

    def drop(self) -> None:
        """Forget what was put and not sent."""
        self._owed.clear()

    async def ask(self, text: str, values: Values = ()) -> PGresult:
        """Send a statement after what was put before it; its answer. Raises psycopg.Error, of the first that fails."""
        if self.shared:
            return await self._ask_with_others(text, values)
        self.put(text, values)
        return (await self.send())[-1]

    def _ask_with_others(self, text: str, values: Values) -> asyncio.Future[PGresult]:
        command = _Command(text, values)
        command.answer = self._loop.create_future()
        self._owed.append(command)
        if not self._due:
            self._due = True
            self._loop.call_soon(self._depart_together)
        return command.answer

    def _depart_together(self) -> None:
        self._due = False
        if self._owed:
            self._depart()

    async def send(self) -> list[PGresult]:
        """Send what was put; the answers in this order. Raises psycopg.Error, of the first that fails."""
        trip = self._depart()
        await trip.answer
        return trip.answers()

    def rows(self, result: PGresult) -> list[Row]:
        """What a statement has found."""
        self._rows.set_pgresult(result)
        return self._rows.load_rows(0, result.ntuples, tuple)

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way or waits to be sent."""
        return not self._trips and not self._owed

    @property
    def travelling(self) -> bool:
        """Whether something was sent whose answer has not come."""
        return bool(self._trips)

    @property
    def lost(self) -> bool:
        """Whether the connection has ended."""
        return not self._watched or self._libpq.status == _BAD

    def look(self) -> bool:
        """Whether the connection still stands, as far as this machine knows: reads what came while nobody asked."""
        while not self.lost and _readable(self._socket):
            self._read()
        return not self.lost

    async def close(self) -> None:
        """End the connection; whoever waits for an answer is told."""
        self._lose()
        await self._raw.close()

    def _depart(self) -> _Trip:
        """Send what was put, and do not wait."""
        commands, self._owed = self._owed, []
        trip = _Trip(self._loop.create_future(), [command.answer for command in commands])
        self._trips.append(trip)
        self._journal.trips += 1
        if self.lost:
            self._lose()
            return trip
        try:
            for command in commands:
                self._send(command, trip)
            self._libpq.pipeline_sync()
            self._push()
        except psycopg.Error:
            self._lose()
        except BaseException:
            self._lose()  # a part may have been sent: what is answered next would be taken for another's answer
            raise
        return trip

    def _send(self, command: _Command, trip: _Trip) -> None:
        """What comes for the second time is prepared, so that it is parsed once."""
        text = command.text
        name = self._prepared.get(text)
        if name is None and text in self._seen and len(self._prepared) < _PREPARED_AT_MOST:
            self._named += 1
            name = self._prepared[text] = b"o%d" % self._named
            self._libpq.send_prepare(name, text.encode())
            trip.parts.append(text)
        if name is None:
            self._seen.add(text)
            self._libpq.send_query_params(text.encode(), command.values, param_formats=command.formats)
        else:
            self._libpq.send_query_prepared(name, command.values, param_formats=command.formats)
        trip.parts.append(None)

    def _push(self) -> None:
        if self._libpq.flush():
            self._loop.add_writer(self._socket, self._push_on)

    def _push_on(self) -> None:
        try:
            if self._libpq.flush() == 0:
                self._loop.remove_writer(self._socket)
        except psycopg.Error:
            self._lose()

    def _read(self) -> None:
        try:
            self._libpq.consume_input()
            while self._trips and not self._libpq.is_busy():
                self._take(self._libpq.get_result())
        except psycopg.Error:
            self._lose()

    def _take(self, result: PGresult | None) -> None:
        if result is None:
            if self._libpq.status == _BAD:
                self._lose()
        elif result.status == _SYNC:
            self._end(self._trips.popleft())
        else:
            self._trips[0].results.append(result)

    def _end(self, trip: _Trip) -> None:
        for part, result in zip(trip.parts, trip.results, strict=False):
            if result.status not in _GOOD:
                trip.failure = trip.failure or error_from_result(result)
                if part is not None:
                    self._prepared.pop(part, None)
                elif trip.failure.sqlstate in _OUTDATED:
                    self._prepared.clear()
        if trip.failure is None and len(trip.results) < len(trip.parts):
            trip.failure = psycopg.OperationalError("the connection is lost")
        self.failed = self.failed or trip.failure is not None
        trip.arrive()

    def _lose(self) -> None:
        if self._watched:
            self._watched = False
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
        while self._trips:
            trip = self._trips.popleft()
            if not trip.parts or len(trip.results) < len(trip.parts):
                trip.failure = psycopg.OperationalError("the connection is lost")
            self._end(trip)


def _readable(socket: int) -> bool:
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))
