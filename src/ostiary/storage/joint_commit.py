"""Joint commit for PostgreSQL: brief units of work of one moment share a transaction, answered after its commit.

Why: a transaction of its own costs a token more than what it writes. BEGIN, the hold on the registry and COMMIT with
its wait for the disk are the database's part of that; sending and waiting, a third of all that a node does, is ours.

Those who wait enter together as a *wave*, and their bodies run beside one another: what they ask in one turn of the
event loop travels together, and what nobody waits for travels with the COMMIT. So a wave of any size makes the trips
of one caller.

One fault, of a body or of a statement, rolls back the whole wave: none of its callers was answered. Whoever was at
fault is told its fault; the others are told ``Contended`` and do it again, alone, so that each meets its own fate and
no fault commits, hides or refuses what is another's. Audit numbers go back with the wave. Where faults come all the
time, that costs three quarters of the speed.

Nobody is kept long by another's lock: within a wave a statement waits for one a tenth of a second, and then all do it
again alone, where only those wait who want it. So it is for callers that seldom wait for locks. A wave has as long as
its oldest caller still had when it began; then its connection is broken off, and all in it are refused, though one of
them may not have left. A connection that answers nothing holds up nobody who is not in a wave: another one begins.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Final

from ostiary.errors import OAuthError, Unavailable, VerificationError
from ostiary.storage.base import Contended, Unanswered
from ostiary.storage.deadline import Deadline
from ostiary.storage.pool import COMMIT, Pool, Slot

if TYPE_CHECKING:
    from ostiary.storage.base import UnitOfWork
    from ostiary.storage.unit_of_work import SqlUnitOfWork

_MOST: Final = 128
_AT_ONCE: Final = 2
_LONG: Final = 0.05
_TICK: Final = 0.02
_IMPATIENT: Final = "SET LOCAL lock_timeout = '100ms'"


class Wave:
    """One transaction and the callers in it.

    since: when its oldest caller came (the loop's time); began: when it was made, then when it got its connection;
    revoked: whether its commit has added to the revocation log.
    """

    def __init__(self, since: float) -> None:
        loop = asyncio.get_running_loop()
        self.since = since
        self.began = loop.time()
        self._inside = 0
        self._faulty = self._admitted = self._over = self.revoked = False
        self._left: asyncio.Future[None] = loop.create_future()
        self._answers: list[asyncio.Future[None]] = []
        self._slot: Slot | None = None
        self._deadline: Deadline | None = None

    @property
    def work(self) -> SqlUnitOfWork:
        """The repositories."""
        if self._slot is None:
            raise Unavailable("storage", "the transaction has not begun")
        return self._slot.work

    @property
    def is_beginning(self) -> bool:
        """Whether it has not yet taken anybody in."""
        return not self._admitted

    @property
    def has_connection(self) -> bool:
        """Whether it waits for the database alone."""
        return self._slot is not None

    @property
    def expired(self) -> bool:
        """Whether it took too long."""
        return self._deadline is not None and self._deadline.expired

    async def run(self, slot: Slot, deadline: Deadline, admit: Callable[[Wave], int]) -> bool:
        """Begin, take in as many as ``admit`` lets in, and commit, or roll back; whether it has committed.

        Raises Unavailable where nobody knows.
        """
        self._slot, self._deadline = slot, deadline
        self.began = asyncio.get_running_loop().time()
        deadline.then(self._give_up)
        number = slot.work.numbers.last
        slot.work.ledger.begin(deciding=True)
        await slot.work.positions()
        # From here on; a change of the registry is waited for as long as by anybody.
        slot.wire.put(_IMPATIENT)
        slot.wire.shared = True
        self._admitted = True
        self._inside = admit(self)
        if self._inside:
            await self._left
        if self._inside:
            raise Unavailable("storage", "somebody did not leave the transaction that several shared")
        if self._answers and not self._faulty and await self._committed(slot):
            self.revoked = slot.work.ledger.reached > 0
            return True
        slot.wire.shared = False
        slot.wire.drop()
        slot.work.ledger.forget()
        slot.work.numbers.last = number
        await slot.execute("ROLLBACK")
        return False

    @staticmethod
    async def _committed(slot: Slot) -> bool:
        """Whether the COMMIT has been done; raises if nobody knows. What they owe the log is paid once for all."""
        if slot.failed:
            return False
        try:
            await slot.work.ledger.settle()
            slot.wire.shared = False
            await slot.execute(COMMIT)
        except Exception:
            if slot.wire.lost:
                raise
            # The server has answered, so it has not: a statement before it failed, for which nobody had waited.
            return False
        return True

    async def leave(self) -> None:
        """Wait until what this caller has written is durable; Unavailable if it is not, Contended: try it alone."""
        if self._over:
            raise Unanswered("storage", "the transaction was given up")
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        self.withdraw()
        await answer

    def fault(self) -> None:
        """This caller's part is to be undone, and with it all of it."""
        self._faulty = True
        self.withdraw()

    def withdraw(self) -> None:
        """One caller fewer is inside."""
        self._inside -= 1
        if not self._inside and not self._left.done():
            self._left.set_result(None)

    def _give_up(self) -> None:
        """Wait no longer for those who are inside: whoever has left would wait with them."""
        self._over = True
        if self._inside and not self._left.done():
            self._left.set_result(None)

    def tell(self, error: Exception | None) -> None:
        """Answer whoever waits for the commit, or refuse them. Telling twice is allowed: the first time counts."""
        for answer in self._answers:
            if answer.done():  # else whoever waited has gone
                continue
            if error is None:
                answer.set_result(None)
            else:
                answer.set_exception(again(error))


class JointCommit:
    """Who waits to enter, and the waves that are under way."""

    def __init__(
        self,
        pool: Pool,
        begin: str,
        after_revocation: Callable[[], None],
        *,
        most: int,
        patience: float,
        seconds: float,
    ) -> None:
        """begin: the command; after_revocation: see ``Storage``.

        most: waves at once; patience: seconds to wait for a turn; seconds: for all of it.
        """
        self._pool = pool
        self._begin = begin
        self._after_revocation = after_revocation
        self._most = most
        self._patience = patience
        self._seconds = seconds
        self._waiting: deque[tuple[asyncio.Future[Wave], float]] = deque()
        self._waves: dict[Wave, asyncio.Task[None]] = {}
        self._ticking: asyncio.TimerHandle | None = None
        self._ended = False

    async def enter(self) -> Wave:
        """Wait until a wave takes this caller in; Unavailable if none does in time."""
        if self._ended:
            raise Unavailable("storage", "closed")
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Wave] = loop.create_future()
        self._waiting.append((turn, loop.time()))
        self._start()
        try:
            return await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                turn.result().withdraw()
            raise

    def _start(self) -> None:
        """Begin a wave, if somebody waits and not enough of them are under way that get on."""
        self._forget_gone()
        if not self._waiting:
            return
        now = asyncio.get_running_loop().time()
        getting_on = sum(now - wave.began < _LONG for wave in self._waves)
        if getting_on < _AT_ONCE and len(self._waves) < self._most and not self._beginning(now):
            wave = Wave(self._waiting[0][1])
            self._waves[wave] = asyncio.create_task(self._run(wave), name="ostiary-joint-commit")
        if self._ticking is None:
            self._ticking = asyncio.get_running_loop().call_later(_TICK, self._tick)

    def _beginning(self, now: float) -> bool:
        """Whether there is a wave that has taken nobody in so far, and will take all who come.

        One whose connection does not answer may never. But where all of them wait for one lock, others would only wait
        with them, so they get no more than half of the connections.
        """
        beginning = [wave for wave in self._waves if wave.is_beginning]
        hopeful = [wave for wave in beginning if not wave.has_connection or now - wave.began < _LONG]
        return bool(hopeful) or len(beginning) >= (self._most + 1) // 2

    def _forget_gone(self) -> None:
        while self._waiting and self._waiting[0][0].done():
            self._waiting.popleft()

    def _admit(self, wave: Wave) -> int:
        admitted = 0
        while self._waiting and admitted < _MOST:
            turn, _ = self._waiting.popleft()
            if not turn.done():
                turn.set_result(wave)
                admitted += 1
        return admitted

    async def _run(self, wave: Wave) -> None:
        left = self._seconds - (asyncio.get_running_loop().time() - wave.since)
        try:
            with Deadline(max(left, 0.0)) as deadline:
                slot = await self._pool.take(self._begin, deadline)
                try:
                    committed = await wave.run(slot, deadline, self._admit)
                except BaseException:
                    # Whether it was committed nobody knows, so neither the connection nor its writer is used again.
                    await slot.close()
                    raise
                finally:
                    slot.wire.shared = False
                    await self._pool.give_back(slot)
            if wave.revoked:
                self._after_revocation()
            wave.tell(None if committed else Contended("storage", "another's fault undid the transaction they shared"))
        except Exception as error:
            self._refuse(wave, error)
        finally:
            del self._waves[wave]
            self._start()

    def _refuse(self, wave: Wave, error: Exception) -> None:
        """Its callers; and where it could not even begin, those who have waited as long as it.

        Whoever came later has the next one, which may have a better connection.
        """
        wave.tell(error)
        if wave.is_beginning:
            while self._waiting and self._waiting[0][1] <= wave.began:
                turn, _ = self._waiting.popleft()
                if not turn.done():
                    turn.set_exception(again(error))

    def _tick(self) -> None:
        """Now and then, while somebody waits: refuse who has waited too long, and look whether a wave is stuck."""
        self._ticking = None
        self._forget_gone()
        now = asyncio.get_running_loop().time()
        while self._waiting and now - self._waiting[0][1] >= self._patience:
            turn, _ = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(Unavailable("storage", "every connection is in use"))
        self._start()

    async def close(self) -> None:
        """Let those end who are inside or wait, and refuse who comes later."""
        self._ended = True
        while self._waves:
            await asyncio.wait(self._waves.values())


class JointWriting(AbstractAsyncContextManager["UnitOfWork"]):
    """One caller: enters with a wave, leaves after its commit."""

    __slots__ = ("_group", "_wave")

    def __init__(self, group: JointCommit) -> None:
        self._group = group

    async def __aenter__(self) -> UnitOfWork:
        self._wave = await self._group.enter()
        return self._wave.work

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        wave = self._wave
        # A refusal is a write too: its marks and its audit commit before it is answered. Only a fault rolls back.
        if error is not None and not isinstance(error, (OAuthError, VerificationError)):
            wave.fault()
            if isinstance(error, Unavailable) and wave.expired:
                raise Unanswered("storage", "the database did not answer in time") from error
            return
        await wave.leave()


def again(error: Exception) -> Unavailable:
    """The same error for one more caller."""
    if isinstance(error, Contended | Unanswered):
        return type(error)(error.part, error.detail)
    if isinstance(error, Unavailable):
        return Unavailable(error.part, error.detail)
    return Unavailable("storage", str(error) or type(error).__name__)
