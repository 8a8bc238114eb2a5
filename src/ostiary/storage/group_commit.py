"""Group commit for SQLite: the writes of one moment share one transaction; each caller is answered after its commit.

Why: a durable commit costs an fsync, the statements of a caller some microseconds. While one batch is being committed
in the worker thread, the callers that arrive queue for the next one.

The phases: idle -> beginning (BEGIN IMMEDIATE, tried again while another process holds the file) -> open (bodies run
inline, one after the other) -> committing (COMMIT in the thread: the fsync frees the loop).

Undoing one caller: a savepoint for each would copy every page that the caller touches, which costs more than what it
writes. So the batch has one, and a list of the statements that its callers ran. After a fault the batch goes back to
the savepoint and runs the statements of the callers before the faulty one again: the lock is held all the while, so
each of them finds what it found and does what it did. Then the savepoint is set anew, behind them.

Who drives: one task of its own, never a caller. A caller that is cancelled while it waits to enter leaves the queue;
inside its body it is rolled back like any fault; while it waits for the commit only its own waiting ends. In no case
does another caller notice.

A body that awaited anything but the unit of work would hold the transaction, and with it the file, that long.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import Any, Protocol

from ostiary.errors import Unavailable

_FIRST_PAUSE = 0.0005
_LONGEST_PAUSE = 0.001
_PRIMARY_CODE = 0xFF

Written = list[tuple[str, Sequence[Any]]]
"""Statements that changed something, each with its values, in their order."""


class Phase(Enum):
    IDLE = "idle"
    BEGINNING = "beginning"
    OPEN = "open"
    COMMITTING = "committing"
    CLOSED = "closed"


class Batched(Protocol):
    """What must be kept in step with the transaction: positions that are known, audit numbers that were given."""

    def begun(self) -> None:
        """A transaction has begun."""
        ...

    def undone(self) -> None:
        """The transaction is rolled back as a whole."""
        ...


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection holds the lock."""
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class GroupCommit:
    """The one writer of a process; ``enter`` and ``leave`` enclose the body of a caller."""

    def __init__(
        self, connection: sqlite3.Connection, written: Written, batched: Batched, *, busy_timeout: float
    ) -> None:
        """connection: in autocommit mode, without a busy timeout; written: where whoever runs a body's statements on it
        notes those that changed something; busy_timeout: seconds to wait for its lock."""
        self._connection = connection
        self._written = written
        self._kept = 0  # so many of them are of callers that ended well
        self._batched = batched
        self._busy_timeout = busy_timeout
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ostiary-commit")
        self._phase = Phase.IDLE
        self._occupied = False
        self._entrants: list[asyncio.Future[None]] = []
        self._answers: list[asyncio.Future[None]] = []
        self._vacated: asyncio.Future[None] | None = None
        self._driver: asyncio.Task[None] | None = None
        self._crowded = False

    async def enter(self) -> None:
        """Wait for the turn of this caller; Unavailable if the database stays busy or is closed."""
        while self._phase is not Phase.OPEN or self._occupied:
            await self._queue()
        self._check_the_transaction()
        self._occupied = True

    def _check_the_transaction(self) -> None:
        # An error (disk full, input/output) made SQLite roll the batch back; what is written now would be committed at
        # once and by itself.
        if not self._connection.in_transaction:
            raise Unavailable("storage", "the transaction was lost")

    async def _queue(self) -> None:
        if self._phase is Phase.CLOSED:
            raise Unavailable("storage", "closed")
        turn = asyncio.get_running_loop().create_future()
        self._entrants.append(turn)
        if self._phase is Phase.IDLE:
            self._phase = Phase.BEGINNING
            self._driver = asyncio.create_task(self._drive(), name="ostiary-group-commit")
        try:
            await turn
        except BaseException:
            if turn in self._entrants:
                self._entrants.remove(turn)
            raise

    async def leave(self) -> None:
        """End the body well and wait until it is durable; Unavailable if it is not."""
        try:
            self._check_the_transaction()
        except Unavailable:
            self._vacate()
            raise
        self._kept = len(self._written)
        answer = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        self._vacate()
        await answer

    def roll_back(self) -> None:
        """End the body by undoing it; the other callers of the batch keep theirs."""
        try:
            # After some errors (disk full, input/output) SQLite has rolled the whole transaction back by itself.
            if self._connection.in_transaction and len(self._written) > self._kept:
                self._go_back()
        except sqlite3.Error as error:
            # What is half undone must never be committed, so the whole batch is given up.
            self._leave_no_transaction()
            raise Unavailable("storage", str(error)) from error
        finally:
            self._vacate()

    def _go_back(self) -> None:
        """To the savepoint, and then again through all that was written by those who ended well."""
        self._connection.execute("ROLLBACK TO good")
        for statement, values in self._written[: self._kept]:
            self._connection.execute(statement, values)
        self._connection.execute("RELEASE good")
        self._set_savepoint()

    def _set_savepoint(self) -> None:
        self._connection.execute("SAVEPOINT good")
        self._written.clear()
        self._kept = 0

    def _vacate(self) -> None:
        self._occupied = False
        if self._vacated is not None and not self._vacated.done():
            self._vacated.set_result(None)

    async def _drive(self) -> None:
        """Batch after batch while callers queue."""
        try:
            while self._entrants:
                await self._one_batch()
        except BaseException as error:
            self._fail(self._entrants, error)
            self._fail(self._answers, error)
            raise
        finally:
            if self._phase is not Phase.CLOSED:
                self._phase = Phase.IDLE

    async def _one_batch(self) -> None:
        self._phase = Phase.BEGINNING
        try:
            await self._begin()
            self._set_savepoint()
        except sqlite3.Error as error:
            self._leave_no_transaction()
            self._fail(self._entrants, error)
            return
        self._phase = Phase.OPEN
        self._batched.begun()
        await self._admit()
        self._phase = Phase.COMMITTING
        await self._commit()

    async def _begin(self) -> None:
        """Take the write lock; it is tried inline, for it costs microseconds, and between tries the loop is free."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + self._busy_timeout, _FIRST_PAUSE
        if self._crowded:
            # Another process was waiting for the file a moment ago: leave the door open for one of its tries.
            await asyncio.sleep(_FIRST_PAUSE)
        self._crowded = False
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not is_busy(error) or loop.time() >= deadline:
                    raise
            else:
                return
            self._crowded = True
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _admit(self) -> None:
        """Let everyone in who is waiting; bodies do not suspend, so each woken caller finds the room empty."""
        while self._entrants:
            woken, self._entrants = self._entrants, []
            for turn in woken:
                if not turn.done():
                    turn.set_result(None)
            await asyncio.sleep(0)
            while self._occupied:
                self._vacated = asyncio.get_running_loop().create_future()
                await self._vacated

    async def _commit(self) -> None:
        answers, self._answers = self._answers, []
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.execute, "COMMIT")
        except sqlite3.Error as error:
            self._undo()
            self._fail(answers, error)
            return
        for answer in answers:
            if not answer.done():
                answer.set_result(None)
        # One turn, in which those who were answered can come again for the next batch, and another process can begin.
        await asyncio.sleep(0)

    def _undo(self) -> None:
        """What was not committed is not: give the numbers back."""
        self._batched.undone()
        self._leave_no_transaction()

    def _leave_no_transaction(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    @staticmethod
    def _fail(waiting: list[asyncio.Future[None]], error: BaseException) -> None:
        for future in waiting:
            if not future.done():
                future.set_exception(Unavailable("storage", str(error)))
        waiting.clear()

    async def close(self, close_connection: Callable[[], None]) -> None:
        """Let the running batch end, refuse later callers, close the connection in the worker thread."""
        while self._driver is not None and not self._driver.done():
            await asyncio.wait({self._driver})
        self._phase = Phase.CLOSED
        await asyncio.get_running_loop().run_in_executor(self._thread, close_connection)
        self._thread.shutdown()
