"""Storage on PostgreSQL: a small pool, one transaction a unit of work, as few trips to the database as it can do with.

A transaction begins with the first statement whose answer is wanted, and what is written for nobody to wait for
(tokens, audit rows, traces) travels with the next one or with the commit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from ostiary.errors import ConfigurationError, OAuthError, Unavailable, VerificationError
from ostiary.storage.base import Positions, UnitOfWork, nobody_is_told
from ostiary.storage.deadline import Deadline
from ostiary.storage.joint_commit import JointCommit, JointWriting
from ostiary.storage.ledger import positions_now
from ostiary.storage.migrate import check
from ostiary.storage.node_clock import NodeClock
from ostiary.storage.pool import COMMIT, Pool, Slot
from ostiary.storage.pooler import check_sessions

_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED"
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

_PATIENT = 4 * 3600
_LEFT_FOR_OTHERS = 2  # connections, while brief ones wait for something: else nobody could ask for the positions


class PostgresStorage:
    """``storage.base.Storage`` over one PostgreSQL database, shared by any number of nodes.

    url: ``postgresql://user@host/database``; pool_size: connections of this process, each of them an audit writer;
    patience: seconds that a unit of work waits for a connection before it is refused with ``Unavailable``; deadline:
    seconds that the whole of it may take, for a network that is cut tells nobody; patient: hours instead, for work that
    may change every row of a table while nobody waits for an answer. Every node's clock has to agree with the
    database's: see ``NodeClock``. asked: how often it was asked for its positions.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 8,
        patience: float = 5.0,
        deadline: float = 10.0,
        clock: Callable[[], float] = time.time,
        patient: bool = False,
    ) -> None:
        self._url = url
        self._pool_size = pool_size
        self._patience = patience
        self._deadline = deadline
        self._patient = patient
        self._clock = NodeClock(clock)
        self._pool: Pool | None = None
        self._joint: JointCommit | None = None
        self._asking = asyncio.Lock()
        self.asked = self._ended = 0
        self.after_revocation: Callable[[], None] = nobody_is_told
        self._answered: tuple[int, Positions | Unavailable] = (0, Positions(0, 0))

    async def open(self, *, filling: bool = False) -> None:
        """Make the pool; ConfigurationError if the schema is missing, older, newer or half filled (filling: by us),
        or if a pooler lends its connections."""
        if problem := await check_sessions(self._url) or await asyncio.to_thread(check, self._url, filling=filling):
            raise ConfigurationError(problem)
        self._pool = Pool(self._url, size=self._pool_size, patience=self._patience)
        if filling or self._patient:
            self._deadline = _PATIENT
            self._pool = Pool(self._url, size=1, patience=self._patience, longest_statement=_PATIENT)
        self._joint = JointCommit(
            self._pool,
            _WRITE,
            lambda: self.after_revocation(),
            most=max(1, self._pool_size - _LEFT_FOR_OTHERS),
            patience=self._patience,
            seconds=self._deadline,
        )

    async def close(self) -> None:
        """Close the connections; closing twice is allowed."""
        joint, self._joint = self._joint, None
        if joint is not None:
            await joint.close()
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    @property
    def trips(self) -> int:
        """How often the database was sent something and then waited for, since it was opened."""
        return self._opened().journal.trips

    def _opened(self) -> Pool:
        if self._pool is None:
            raise Unavailable("storage", "not open")
        return self._pool

    def write(self, *, brief: bool = False) -> AbstractAsyncContextManager[UnitOfWork]:
        """A unit of work; see ``storage.base``. Brief ones of one moment share a transaction."""
        if not brief:
            return self._write_alone()
        if self._joint is None:
            raise Unavailable("storage", "not open")
        return JointWriting(self._joint)

    @asynccontextmanager
    async def _write_alone(self) -> AsyncIterator[UnitOfWork]:
        with Deadline(self._deadline) as deadline:
            async with self._write(deadline) as work:
                yield work

    @asynccontextmanager
    async def read(self) -> AsyncIterator[UnitOfWork]:
        """The repositories over one consistent reading."""
        with Deadline(self._deadline) as deadline:
            async with self._read(deadline) as slot:
                yield slot.work

    @asynccontextmanager
    async def _write(self, deadline: Deadline) -> AsyncIterator[UnitOfWork]:
        pool = self._opened()
        slot = await pool.take(_WRITE, deadline)
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
            revoked = slot.work.ledger.reached > 0
        except BaseException:
            slot.work.numbers.last = number
            await _roll_back(slot)
            raise
        finally:
            await pool.give_back(slot)
        if revoked:
            self.after_revocation()
        # A refusal is a write too: it is told only after its marks and its audit are durable.
        if refusal is not None:
            raise refusal

    @asynccontextmanager
    async def _read(self, deadline: Deadline) -> AsyncIterator[Slot]:
        pool = self._opened()
        slot = await pool.take(_READ, deadline)
        slot.work.ledger.begin()
        try:
            yield slot
            if not slot.wire.idle:
                # Whoever reads writes nothing: the database refuses it.
                await slot.flush()
        finally:
            await _roll_back(slot)
            await pool.give_back(slot)

    async def positions(self) -> Positions:
        """Where the database stands now; callers of one moment share a question that was asked after they came.

        Whoever waits for the question of somebody else that fails is refused with them: else each would wait anew for a
        database that is cut off.
        """
        asked, ended = self.asked, self._ended
        async with self._asking:
            failed_meanwhile = self._ended > ended and isinstance(self._answered[1], Unavailable)
            if self._answered[0] <= asked and not failed_meanwhile:
                self.asked += 1
                self._answered = (self.asked, await self._ask())
                self._ended += 1
            answer = self._answered[1]
        if isinstance(answer, Unavailable):
            raise type(answer)(answer.part, answer.detail) from answer
        return answer

    async def _ask(self) -> Positions | Unavailable:
        try:
            with Deadline(self._deadline) as deadline:
                return await self._look(deadline)
        except Unavailable as error:
            return error

    async def _look(self, deadline: Deadline) -> Positions:
        pool = self._opened()
        slot = await pool.take("", deadline)
        try:
            await self._clock.check(slot.connection)
            return await positions_now(slot.connection)
        finally:
            await pool.give_back(slot)

    async def expire(self, now: int, *, batch: int = 1000) -> int:
        """Delete one batch of rows whose end has passed; how many. By a clock that is wrong nothing is deleted."""
        pool = self._opened()
        with Deadline(self._deadline) as deadline:
            slot = await pool.take(_WRITE, deadline)
            try:
                await self._clock.check(slot.connection, anew=True)
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
        await slot.execute(COMMIT)
    except BaseException:
        # Nobody knows whether it was committed, so neither the connection nor its writer is used again.
        await slot.close()
        raise


async def _roll_back(slot: Slot) -> None:
    slot.work.ledger.forget()
    slot.wire.drop()
    if slot.abandoned:
        await slot.close()
        return
    if not slot.in_transaction:
        return
    try:
        await slot.execute("ROLLBACK")
    except BaseException:
        await slot.close()
        raise
