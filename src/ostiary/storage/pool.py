"""A small pool of PostgreSQL connections; each one is a writer of the audit log with numbers of its own.

A connection runs one transaction at a time, so its numbers can be given back without a lock between connections. A
connection whose fate is unclear (lost, cancelled in the middle) is thrown away together with its writer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus

from ostiary.errors import Unavailable
from ostiary.storage.audit import AuditNumbers
from ostiary.storage.base import Contended
from ostiary.storage.connection import Conflict, Parameters, Row
from ostiary.storage.deadline import Deadline
from ostiary.storage.statements import Statement
from ostiary.storage.unit_of_work import SqlUnitOfWork
from ostiary.storage.wire import Journal, Wire

_SETTINGS = (
    # What was answered is durable, whatever the database's own default; a stronger default stays.
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
    "SET lock_timeout = '5s'",
    "SET idle_in_transaction_session_timeout = '30s'",
)


# A machine that vanished tells nobody: without these a connection to it would be waited on for hours.
_NETWORK = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
COMMIT = "COMMIT"


def translated(error: psycopg.Error) -> Exception:
    """Our word for a driver's error."""
    if isinstance(error, psycopg.errors.UniqueViolation):
        return Conflict(error.diag.constraint_name or "unique")
    # PostgreSQL has chosen this transaction as the one to undo; even a COMMIT that is answered so has changed nothing.
    undone = isinstance(error, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure)
    kind = Contended if undone else Unavailable
    return kind("storage", f"{type(error).__name__} {error.sqlstate or ''}".strip())


class PostgresConnection:
    """The port over a ``Wire``: every method but ``later`` is a trip."""

    __slots__ = ("wire",)

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    async def one(self, statement: Statement, parameters: Parameters) -> Row | None:
        rows = await self.all(statement, parameters)
        return rows[0] if rows else None

    async def all(self, statement: Statement, parameters: Parameters) -> list[Row]:
        try:
            result = await self.wire.ask(statement.postgresql, statement.postgresql_values(parameters))
            return self.wire.rows(result)
        except psycopg.Error as error:
            raise self._told(error) from error

    async def run(self, statement: Statement, parameters: Parameters) -> int:
        try:
            result = await self.wire.ask(statement.postgresql, statement.postgresql_values(parameters))
        except psycopg.Error as error:
            raise self._told(error) from error
        return result.command_tuples or 0

    async def later(self, statement: Statement, parameters: Parameters) -> None:
        try:
            self.wire.put(statement.postgresql, statement.postgresql_values(parameters))
        except psycopg.Error as error:
            raise self._told(error) from error

    async def run_for_each(self, statement: Statement, parameters: Sequence[Parameters]) -> int:
        if not parameters:
            return 0
        try:
            for values in parameters:
                self.wire.put(statement.postgresql, statement.postgresql_values(values))
            results = await self.wire.send()
        except psycopg.Error as error:
            raise self._told(error) from error
        return sum(result.command_tuples or 0 for result in results[-len(parameters) :])

    def _told(self, error: psycopg.Error) -> Exception:
        """Where several share the transaction, whose statement has failed nobody knows: each tries it alone."""
        if self.wire.shared and not self.wire.lost:
            return Contended("storage", f"{type(error).__name__} in a transaction that was shared")
        return translated(error)


@dataclass(frozen=True, slots=True)
class Slot:
    """A connection of the pool with its repositories."""

    connection: PostgresConnection
    raw: psycopg.AsyncConnection[Row]
    work: SqlUnitOfWork

    @property
    def wire(self) -> Wire:
        """What its statements go over."""
        return self.connection.wire

    async def execute(self, command: str) -> None:
        """Run a command of transaction control, with all that was put before it."""
        try:
            done = await self.wire.ask(command)
        except psycopg.Error as error:
            raise translated(error) from error
        # What failed is answered by a ROLLBACK where a COMMIT was asked for.
        if command == COMMIT and done.command_status != COMMIT.encode():
            raise Unavailable("storage", "the database has rolled back what was to be committed")

    async def flush(self) -> None:
        """Send what was put."""
        try:
            await self.wire.send()
        except psycopg.Error as error:
            raise translated(error) from error

    @property
    def abandoned(self) -> bool:
        """Whether the connection is lost, or was left (cancelled) while a statement ran."""
        return self.wire.lost or self.wire.travelling

    @property
    def in_transaction(self) -> bool:
        """Whether the database knows of a transaction; one whose BEGIN was not sent it does not."""
        return self.raw.info.transaction_status is not TransactionStatus.IDLE

    @property
    def failed(self) -> bool:
        """Whether a statement failed, after which PostgreSQL would answer a COMMIT by rolling back."""
        return self.wire.failed or self.wire.lost

    async def close(self) -> None:
        """End the connection."""
        await self.wire.close()


class Pool:
    """At most ``size`` connections, made when they are wanted; a waiter gives up after ``patience`` seconds."""

    def __init__(self, url: str, *, size: int, patience: float, longest_statement: int = 30) -> None:
        """longest_statement: seconds after which the database itself gives one up."""
        self._url = url
        self._settings = (*_SETTINGS, f"SET statement_timeout = '{longest_statement}s'")
        self._patience = patience
        self._free = asyncio.Semaphore(size)
        self._idle: list[Slot] = []
        self._closed = False
        self.journal = Journal()

    async def take(self, begin: str, deadline: Deadline) -> Slot:
        """A connection, watched by ``deadline``; Unavailable if there is none in time.

        begin: how its transaction begins, with the first trip; "" if there is to be none.
        """
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            raise Unavailable("storage", "every connection is in use") from None
        try:
            return await self._begun(begin, deadline)
        except BaseException:
            self._free.release()
            raise

    async def _begun(self, begin: str, deadline: Deadline) -> Slot:
        slot = await self._standing() or await self._connect(deadline)
        deadline.watch(slot.raw)
        slot.wire.failed = False
        if begin:
            slot.wire.put(begin)
        return slot

    async def _standing(self) -> Slot | None:
        """One that lies idle and did not die meanwhile (the server was started anew)."""
        while self._idle:
            slot = self._idle.pop()
            if slot.wire.look():
                return slot
            await slot.close()
        return None

    async def _connect(self, deadline: Deadline) -> Slot:
        if self._closed:
            raise Unavailable("storage", "closed")
        try:
            raw = await psycopg.AsyncConnection.connect(
                make_conninfo(self._url, **_NETWORK, client_encoding="UTF8"), autocommit=True, connect_timeout=5
            )
            try:
                deadline.watch(raw)
                for command in self._settings:
                    await raw.execute(command.encode())
            except BaseException:
                await raw.close()
                raise
        except psycopg.Error as error:
            raise translated(error) from error
        connection = PostgresConnection(Wire(raw, self.journal))
        return Slot(connection, raw, SqlUnitOfWork(connection, AuditNumbers(), shared=True))

    async def give_back(self, slot: Slot) -> None:
        """Take back a connection whose transaction has ended; any other one is closed."""
        try:
            if self._closed or slot.abandoned or not slot.wire.idle or slot.in_transaction:
                await slot.close()
            else:
                self._idle.append(slot)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Close what is idle now, and what is in use when it comes back."""
        self._closed = True
        while self._idle:
            await self._idle.pop().close()
