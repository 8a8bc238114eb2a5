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

_SETTINGS = (
    # What was answered is durable, whatever the database's own default; a stronger default stays.
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
    "SET lock_timeout = '5s'",
    "SET idle_in_transaction_session_timeout = '30s'",
)


# A machine that vanished tells nobody: without these a connection to it would be waited on for hours.
_NETWORK = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}


def translated(error: psycopg.Error) -> Exception:
    """Our word for a driver's error."""
    if isinstance(error, psycopg.errors.UniqueViolation):
        return Conflict(error.diag.constraint_name or "unique")
    # PostgreSQL has chosen this transaction as the one to undo; even a COMMIT that is answered so has changed nothing.
    undone = isinstance(error, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure)
    kind = Contended if undone else Unavailable
    return kind("storage", f"{type(error).__name__} {error.sqlstate or ''}".strip())


class PostgresConnection:
    """The port over psycopg: every call is a real await."""

    __slots__ = ("raw",)

    def __init__(self, raw: psycopg.AsyncConnection[Row]) -> None:
        self.raw = raw

    async def _execute(self, statement: Statement, parameters: Parameters) -> psycopg.AsyncCursor[Row]:
        return await self.raw.execute(statement.postgresql.encode(), statement.postgresql_values(parameters))

    async def one(self, statement: Statement, parameters: Parameters) -> Row | None:
        try:
            return await (await self._execute(statement, parameters)).fetchone()
        except psycopg.Error as error:
            raise translated(error) from error

    async def all(self, statement: Statement, parameters: Parameters) -> list[Row]:
        try:
            return await (await self._execute(statement, parameters)).fetchall()
        except psycopg.Error as error:
            raise translated(error) from error

    async def run(self, statement: Statement, parameters: Parameters) -> int:
        try:
            return (await self._execute(statement, parameters)).rowcount
        except psycopg.Error as error:
            raise translated(error) from error

    async def run_for_each(self, statement: Statement, parameters: Sequence[Parameters]) -> int:
        cursor = self.raw.cursor()
        try:
            await cursor.executemany(statement.postgresql.encode(), map(statement.postgresql_values, parameters))
        except psycopg.Error as error:
            raise translated(error) from error
        return cursor.rowcount


@dataclass(frozen=True, slots=True)
class Slot:
    """A connection of the pool with its repositories."""

    connection: PostgresConnection
    work: SqlUnitOfWork

    async def execute(self, command: str) -> None:
        """Run a command of transaction control."""
        try:
            await self.connection.raw.execute(command.encode())
        except psycopg.Error as error:
            raise translated(error) from error

    @property
    def abandoned(self) -> bool:
        """Whether the connection is lost, or was left (cancelled) while a statement ran."""
        raw = self.connection.raw
        ended = raw.info.transaction_status in (TransactionStatus.ACTIVE, TransactionStatus.UNKNOWN)
        return raw.closed or ended

    @property
    def failed(self) -> bool:
        """Whether a statement failed, after which PostgreSQL would answer a COMMIT by rolling back."""
        return self.connection.raw.info.transaction_status is not TransactionStatus.INTRANS


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

    async def take(self, begin: str, deadline: Deadline) -> Slot:
        """A connection in a new transaction, watched by ``deadline``; Unavailable if there is none in time."""
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
        while self._idle:
            slot = self._idle.pop()
            deadline.watch(slot.connection.raw)
            try:
                await slot.execute(begin)
            except Unavailable:
                # It died while it lay idle (the server was started anew); nothing was sent on it, so another may try.
                await slot.connection.raw.close()
                if deadline.expired:
                    raise
            except BaseException:
                await slot.connection.raw.close()
                raise
            else:
                return slot
        slot = await self._connect(deadline)
        await slot.execute(begin)
        return slot

    async def _connect(self, deadline: Deadline) -> Slot:
        if self._closed:
            raise Unavailable("storage", "closed")
        try:
            raw = await psycopg.AsyncConnection.connect(
                make_conninfo(self._url, **_NETWORK), autocommit=True, connect_timeout=5
            )
            deadline.watch(raw)
            for command in self._settings:
                await raw.execute(command.encode())
        except psycopg.Error as error:
            raise translated(error) from error
        connection = PostgresConnection(raw)
        return Slot(connection, SqlUnitOfWork(connection, AuditNumbers(), shared=True))

    async def give_back(self, slot: Slot) -> None:
        """Take back a connection whose transaction has ended; any other one is closed."""
        raw = slot.connection.raw
        try:
            if self._closed or raw.closed or raw.info.transaction_status is not TransactionStatus.IDLE:
                await raw.close()
            else:
                self._idle.append(slot)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Close what is idle now, and what is in use when it comes back."""
        self._closed = True
        while self._idle:
            await self._idle.pop().connection.raw.close()
