"""Storage in one SQLite file (WAL, full fsync), shared by the processes of one host."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import TracebackType

from ostiary.errors import ConfigurationError, OAuthError, Unavailable, VerificationError
from ostiary.storage.audit import AuditNumbers
from ostiary.storage.base import TENANT, Positions, UnitOfWork, nobody_is_told
from ostiary.storage.connection import Conflict, Parameters, Row
from ostiary.storage.group_commit import GroupCommit, Written
from ostiary.storage.ledger import READ_COUNTERS, positions_of
from ostiary.storage.migrate import check
from ostiary.storage.statements import Statement
from ostiary.storage.unit_of_work import SqlUnitOfWork

_FOR_ALL = ("PRAGMA foreign_keys=ON", "PRAGMA trusted_schema=OFF")
# temp_store: what a savepoint keeps of the pages stays in memory; beyond 64 kB it would go to a file for each batch.
_FOR_WRITER = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA cache_size=-16384",
    "PRAGMA temp_store=MEMORY",
)
_FOR_READERS = ("PRAGMA query_only=ON",)


class SqliteConnection:
    """The port over sqlite3: calls return at once, nothing in them suspends.

    written: every statement that changed something, until the owner of the transaction clears it.
    """

    __slots__ = ("_execute", "raw", "written")

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw
        self.written: Written = []
        self._execute = raw.execute

    async def one(self, statement: Statement, parameters: Parameters) -> Row | None:
        values = statement.sqlite_values(parameters)
        try:
            row: Row | None = self._execute(statement.sqlite, values).fetchone()
        except sqlite3.Error as error:
            raise _translated(error) from error
        if statement.writes:
            self.written.append((statement.sqlite, values))
        return row

    async def all(self, statement: Statement, parameters: Parameters) -> list[Row]:
        values = statement.sqlite_values(parameters)
        try:
            rows = self._execute(statement.sqlite, values).fetchall()
        except sqlite3.Error as error:
            raise _translated(error) from error
        if statement.writes:
            self.written.append((statement.sqlite, values))
        return rows

    async def run(self, statement: Statement, parameters: Parameters) -> int:
        values = statement.sqlite_values(parameters)
        try:
            changed = self._execute(statement.sqlite, values).rowcount
        except sqlite3.Error as error:
            raise _translated(error) from error
        self.written.append((statement.sqlite, values))
        return changed

    async def later(self, statement: Statement, parameters: Parameters) -> None:
        await self.run(statement, parameters)

    async def run_for_each(self, statement: Statement, parameters: Sequence[Parameters]) -> int:
        several = list(map(statement.sqlite_values, parameters))
        # Noted before: if one of them fails, those before it have changed something.
        self.written.extend((statement.sqlite, values) for values in several)
        try:
            return self.raw.executemany(statement.sqlite, several).rowcount
        except sqlite3.Error as error:
            raise _translated(error) from error


def _translated(error: sqlite3.Error) -> Exception:
    if isinstance(error, sqlite3.IntegrityError):
        return Conflict(str(error))
    return Unavailable("storage", str(error))


def _control(connection: sqlite3.Connection, command: str) -> None:
    try:
        connection.execute(command)
    except sqlite3.Error as error:
        raise Unavailable("storage", str(error)) from error


class _Writing(AbstractAsyncContextManager[UnitOfWork]):
    """One caller of the group commit: enters its transaction, leaves after the commit."""

    __slots__ = ("_after_revocation", "_group", "_number", "_work")

    def __init__(self, group: GroupCommit, work: SqlUnitOfWork, after_revocation: Callable[[], None]) -> None:
        self._group = group
        self._work = work
        self._after_revocation = after_revocation
        self._number = 0

    async def __aenter__(self) -> UnitOfWork:
        await self._group.enter()
        self._number = self._work.numbers.last
        self._work.ledger.reached = 0  # what another caller of the batch has appended is not this one's
        return self._work

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A refusal is a write too: its marks and its audit commit before it is answered. Only a fault rolls back.
        if error is not None and not isinstance(error, (OAuthError, VerificationError)):
            self._roll_back()
            return
        try:
            await self._work.ledger.settle()
        except BaseException:
            self._roll_back()
            raise
        revoked = self._work.ledger.reached > 0
        await self._group.leave()
        if revoked:
            self._after_revocation()

    def _roll_back(self) -> None:
        self._work.ledger.forget()
        self._work.numbers.last = self._number
        self._group.roll_back()


class _Batch:
    """Keeps ledger and audit numbers in step with the shared transaction."""

    def __init__(self, work: SqlUnitOfWork) -> None:
        self._work = work
        self._number = 0

    def begun(self) -> None:
        self._work.ledger.begin()
        self._number = self._work.numbers.last

    def undone(self) -> None:
        self._work.ledger.begin()
        self._work.numbers.last = self._number


class SqliteStorage:
    """``storage.base.Storage`` over one file; a write is durable when its block has been left.

    path: the database file, brought up to date by ``storage.migrate.upgrade``; busy_timeout: seconds that a write waits
    for another process before it is refused with ``Unavailable``.
    """

    def __init__(self, path: Path, *, busy_timeout: float = 5.0, clock: Callable[[], float] = time.time) -> None:
        self._path = Path(path)
        self._name = str(self._path)
        self._busy_timeout = busy_timeout
        self._clock = clock
        self._group: GroupCommit | None = None
        self._known: tuple[int, Positions] = (-1, Positions(0, 0))
        self._looked = False  # in this turn of the loop
        self.after_revocation: Callable[[], None] = nobody_is_told

    async def open(self, *, filling: bool = False) -> None:
        """Connect; ConfigurationError if the schema is missing, older, newer or half filled; filling: by us."""
        if problem := check(f"sqlite:///{self._path}", filling=filling):
            raise ConfigurationError(problem)
        try:
            writer = self._connect(*_FOR_WRITER)
            self._reader = self._connect(*_FOR_READERS)
            self._watcher = self._connect(*_FOR_READERS)
        except sqlite3.Error as error:
            raise Unavailable("storage", str(error)) from error
        found = self._path.stat()
        self._file = (found.st_dev, found.st_ino)
        writing = SqliteConnection(writer)
        self._work = SqlUnitOfWork(writing, AuditNumbers(), shared=False)
        self._reading = SqlUnitOfWork(SqliteConnection(self._reader), AuditNumbers(), shared=False)
        self._reading_lock = asyncio.Lock()
        self._writer = writer
        self._group = GroupCommit(writer, writing.written, _Batch(self._work), busy_timeout=self._busy_timeout)

    def _connect(self, *pragmas: str) -> sqlite3.Connection:
        # The busy timeout is needed while the pragmas run; afterwards waiting is done without blocking the loop.
        connection = sqlite3.connect(
            self._path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
        )
        for pragma in (*_FOR_ALL, *pragmas):
            connection.execute(pragma)
        connection.execute("PRAGMA busy_timeout=0")
        return connection

    async def close(self) -> None:
        """Let the running batch end and close; closing twice is allowed."""
        group, self._group = self._group, None
        if group is not None:
            await group.close(self._writer.close)
            self._reader.close()
            self._watcher.close()

    def write(self, *, brief: bool = False) -> AbstractAsyncContextManager[UnitOfWork]:
        """A unit of work; see ``storage.base``. All of one moment share a transaction, brief or not."""
        if self._group is None:
            raise Unavailable("storage", "not open")
        return _Writing(self._group, self._work, self.after_revocation)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[UnitOfWork]:
        """The repositories over one consistent reading."""
        if self._group is None:
            raise Unavailable("storage", "not open")
        async with self._reading_lock:
            self._reading.ledger.begin()
            _control(self._reader, "BEGIN")
            try:
                yield self._reading
            finally:
                _control(self._reader, "ROLLBACK")

    async def positions(self) -> Positions:
        """Where the database stands now; the counters are read only if some connection has committed since.

        Looked at once in a turn of the event loop: whatever comes to know of a later commit does so in a later turn,
        which begins with forgetting.
        """
        if self._group is None:
            raise Unavailable("storage", "not open")
        if not self._looked:
            self._look()
            self._looked = True
            asyncio.get_running_loop().call_soon(self._turn_ends)
        return self._known[1]

    def _turn_ends(self) -> None:
        self._looked = False

    def _look(self) -> None:
        self._check_the_file()
        try:
            (version,) = self._watcher.execute("PRAGMA data_version").fetchone()
            if version != self._known[0]:
                rows = self._watcher.execute(READ_COUNTERS.sqlite, (TENANT,)).fetchall()
                self._known = (version, positions_of(rows))
        except sqlite3.Error as error:
            raise Unavailable("storage", str(error)) from error

    def _check_the_file(self) -> None:
        """SQLite goes on writing into a file that was removed or replaced, and all of it is lost at the next start."""
        try:
            found = os.stat(self._name)  # noqa: PTH116 - at each turn of the loop, where a Path costs twice as much
        except OSError as error:
            raise Unavailable("storage", f"the database file: {error.strerror}") from error
        if (found.st_dev, found.st_ino) != self._file:
            raise Unavailable("storage", "the database file was replaced under the running server; start it again")

    async def expire(self, now: int, *, batch: int = 1000) -> int:
        """Delete one batch of rows whose end has passed; how many."""
        async with self.write():
            return await self._work.expire(now, batch)
