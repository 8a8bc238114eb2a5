"""The comparison of clocks: what the way there and back can explain is no difference."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ostiary.errors import Unavailable
from ostiary.storage.connection import Parameters, Row
from ostiary.storage.node_clock import MAX_OFFSET, NodeClock
from ostiary.storage.statements import Statement

pytestmark = pytest.mark.anyio


class Database:
    """Answers with its time, which is the same as the node's but for ``off``, after ``takes`` seconds."""

    def __init__(self, *, off: float = 0.0, takes: float = 0.0, answers_at: float = 0.5) -> None:
        self.off, self.takes, self.answers_at = off, takes, answers_at
        self.now = 1_800_000_000.0
        self.asked = 0

    async def one(self, statement: Statement, parameters: Parameters) -> Row | None:
        self.asked += 1
        there = self.now + self.off + self.takes * self.answers_at
        self.now += self.takes
        return (there,)

    async def all(self, statement: Statement, parameters: Parameters) -> list[Row]:
        return []

    async def run(self, statement: Statement, parameters: Parameters) -> int:
        return 0

    async def later(self, statement: Statement, parameters: Parameters) -> None:
        return None

    async def run_for_each(self, statement: Statement, parameters: Sequence[Parameters]) -> int:
        return 0


def clock_beside(database: Database) -> NodeClock:
    return NodeClock(lambda: database.now, steady=lambda: database.now)


@pytest.mark.parametrize("answers_at", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("takes", [0.0, 60.0])
async def test_clocks_that_agree_agree_however_long_the_answer_takes(takes: float, answers_at: float) -> None:
    database = Database(takes=takes, answers_at=answers_at)
    clock = clock_beside(database)
    await clock.check(database)
    assert clock.offset == 0


@pytest.mark.parametrize("off", [MAX_OFFSET + 3, -MAX_OFFSET - 3])
async def test_clocks_that_differ_are_refused_also_when_the_answer_takes_a_while(off: float) -> None:
    database = Database(off=off, takes=2.0)
    with pytest.raises(Unavailable):
        await clock_beside(database).check(database)


async def test_the_database_is_asked_once_a_second_and_the_last_answer_holds_meanwhile() -> None:
    database = Database(off=MAX_OFFSET + 300)
    clock = clock_beside(database)
    for _ in range(3):
        with pytest.raises(Unavailable):
            await clock.check(database)
    assert database.asked == 1
    database.now += 1.1
    database.off = 0
    await clock.check(database)


async def test_a_clock_that_jumps_is_compared_at_once() -> None:
    database, ahead = Database(), [0.0]
    clock = NodeClock(lambda: database.now + ahead[0], steady=lambda: database.now)
    await clock.check(database)
    ahead[0] = -MAX_OFFSET - 300
    with pytest.raises(Unavailable, match="310 s behind"):
        await clock.check(database)
    ahead[0] = 0.0
    await clock.check(database)


async def test_whoever_must_know_is_told_how_it_is_now() -> None:
    database = Database()
    clock = clock_beside(database)
    await clock.check(database)
    database.off = MAX_OFFSET + 300
    await clock.check(database)
    with pytest.raises(Unavailable):
        await clock.check(database, anew=True)
