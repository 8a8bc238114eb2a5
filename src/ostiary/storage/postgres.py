"""Storage on PostgreSQL: psycopg 3, a small pool, one transaction a unit of work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ostiary.errors import ConfigurationError, OAuthError, Unavailable, VerificationError
from ostiary.storage.base import Positions, UnitOfWork
from ostiary.storage.migrate import check
from ostiary.storage.pool import Pool, Slot

_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED"
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresStorage:
    """``storage.base.Storage`` over one PostgreSQL database, shared by any number of nodes.

    url: ``postgresql://user@host/database``; pool_size: connections of this process, each of them an audit writer;
    patience: seconds that a unit of work waits for a connection before it is refused with ``Unavailable``.
    """

    def __init__(self, url: str, *, pool_size: int = 8, patience: float = 5.0) -> None:
        self._url = url
        self._pool_size = pool_size
        self._patience = patience
        self._pool: Pool | None = None
        self._asking = asyncio.Lock()
        self._asked = 0
        self._answered: tuple[int, Positions] = (0, Positions(0, 0))

    async def open(self) -> None:
        """Make the pool; ConfigurationError if the schema is missing, older or newer."""
        if problem := await asyncio.to_thread(check, self._url):
            raise ConfigurationError(problem)
        self._pool = Pool(self._url, size=self._pool_size, patience=self._patience)

    async def close(self) -> None:
        """Close the connections; closing twice is allowed."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    def _opened(self) -> Pool:
        if self._pool is None:
            raise Unavailable("storage", "not open")
        return self._pool

    @asynccontextmanager
    async def write(self) -> AsyncIterator[UnitOfWork]:
        """A unit of work; see ``storage.base``."""
        pool = self._opened()
        slot = await pool.take(_WRITE)
        number = slot.work.numbers.last
        slot.work.ledger.begin(deciding=True)
        refusal: OAuthError | VerificationError | None = None
        try:
            try:
                yield slot.work
            except (OAuthError, VerificationError) as error:
                refusal = error
            await slot.work.ledger.settle()
            await _commit(slot)
        except BaseException:
            slot.work.numbers.last = number
            await _roll_back(slot)
            raise
        finally:
            await pool.give_back(slot)
        # A refusal is a write too: it is told only after its marks and its audit are durable.
        if refusal is not None:
            raise refusal

    @asynccontextmanager
    async def read(self) -> AsyncIterator[UnitOfWork]:
        """The repositories over one consistent reading."""
        pool = self._opened()
        slot = await pool.take(_READ)
        slot.work.ledger.begin()
        try:
            yield slot.work
        finally:
            await _roll_back(slot)
            await pool.give_back(slot)

    async def positions(self) -> Positions:
        """Where the database stands now; callers of one moment share a question that was asked after they came."""
        asked = self._asked
        async with self._asking:
            if self._answered[0] <= asked:
                self._asked += 1
                async with self.read() as work:
                    self._answered = (self._asked, await work.positions())
            return self._answered[1]

    async def expire(self, now: int, *, batch: int = 1000) -> int:
        """Delete one batch of rows whose end has passed; how many."""
        pool = self._opened()
        slot = await pool.take(_WRITE)
        try:
            deleted = await slot.work.expire(now, batch)
            await _commit(slot)
        except BaseException:
            await _roll_back(slot)
            raise
        finally:
            await pool.give_back(slot)
        return deleted


async def _commit(slot: Slot) -> None:
    if slot.failed:
        raise Unavailable("storage", "a statement of this unit of work has failed")
    try:
        await slot.execute("COMMIT")
    except BaseException:
        # Nobody knows whether it was committed, so neither the connection nor its writer is used again.
        await slot.connection.raw.close()
        raise


async def _roll_back(slot: Slot) -> None:
    slot.work.ledger.forget()
    if slot.abandoned:
        await slot.connection.raw.close()
        return
    try:
        await slot.execute("ROLLBACK")
    except BaseException:
        await slot.connection.raw.close()
        raise
