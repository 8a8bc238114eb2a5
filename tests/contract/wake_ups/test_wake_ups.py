"""Wake-ups, on every adapter: a reader comes to know of a commit at once, wherever it was made."""

from __future__ import annotations

import asyncio

import pytest

from ostiary.revocation_feed.memory import MemoryWakeUps
from tests.contract.wake_ups.conftest import Node, OpenNode

pytestmark = pytest.mark.anyio

LONG = 3600.0
"""Nobody waits this long: a test that would is ended by ``IN_TIME``."""
IN_TIME = 20.0


async def _until_it_listens(node: Node) -> None:
    """An adapter that begins to listen rings once, as it cannot know what it missed: not what is tested here."""
    await asyncio.sleep(0)
    if type(node.wake_ups) is not MemoryWakeUps:
        async with asyncio.timeout(IN_TIME):
            await node.wake_ups.wait(LONG, since=0)


async def _read_until(node: Node, position: int) -> list[int]:
    """Follow the log as a reader does; the positions at which it stood after each wake-up."""
    stood: list[int] = []
    async with asyncio.timeout(IN_TIME):
        while not stood or stood[-1] < position:
            heard = node.wake_ups.heard
            stood.append((await node.storage.positions()).revocation)
            if stood[-1] < position:
                await node.wake_ups.wait(LONG, since=heard)
    return stood


async def test_who_waits_is_woken_by_a_commit_of_the_same_node(here: Node) -> None:
    waiting = asyncio.create_task(_read_until(here, 1))
    await _until_it_listens(here)
    await here.revoke()
    assert (await waiting)[-1] == 1


async def test_who_waits_is_woken_by_a_commit_of_another_node(here: Node, elsewhere: Node) -> None:
    waiting = asyncio.create_task(_read_until(here, 1))
    await _until_it_listens(here)
    await elsewhere.revoke()
    assert (await waiting)[-1] == 1


async def test_a_commit_between_the_reading_and_the_waiting_is_not_missed(here: Node, elsewhere: Node) -> None:
    await _until_it_listens(here)
    for number in range(20):
        heard = here.wake_ups.heard
        await elsewhere.revoke(f"{number}")
        async with asyncio.timeout(IN_TIME):
            await here.wake_ups.wait(LONG, since=heard)


async def test_what_was_committed_before_anybody_ever_waited_is_not_missed(here: Node, elsewhere: Node) -> None:
    heard = here.wake_ups.heard
    await elsewhere.revoke()
    async with asyncio.timeout(IN_TIME):
        await here.wake_ups.wait(LONG, since=heard)


async def test_every_reader_of_every_node_is_woken(here: Node, elsewhere: Node, open_node: OpenNode) -> None:
    third = await open_node()
    waiting = [asyncio.create_task(_read_until(node, 1)) for node in (here, elsewhere) for _ in range(50)]
    await _until_it_listens(here)
    await third.revoke()
    assert {stood[-1] for stood in await asyncio.gather(*waiting)} == {1}


async def test_a_reader_that_follows_many_commits_sees_the_last_one(here: Node, elsewhere: Node) -> None:
    waiting = asyncio.create_task(_read_until(here, 40))
    await asyncio.gather(*(elsewhere.revoke(f"{number}") for number in range(40)))
    assert (await waiting)[-1] == 40


async def test_who_waits_while_nothing_happens_returns_when_the_time_is_over(here: Node) -> None:
    async with asyncio.timeout(IN_TIME):
        await here.wake_ups.wait(0.0)
        await here.wake_ups.wait(0.02)
        await here.wake_ups.wait(0.02, since=here.wake_ups.heard)


async def test_a_reader_that_goes_away_harms_nobody(here: Node, elsewhere: Node) -> None:
    gone = [asyncio.create_task(here.wake_ups.wait(LONG)) for _ in range(3)]
    staying = asyncio.create_task(_read_until(here, 1))
    await asyncio.sleep(0)
    for task in gone:
        task.cancel()
    await asyncio.wait(gone)
    await elsewhere.revoke()
    assert (await staying)[-1] == 1


async def test_whoever_still_waits_at_the_close_returns(here: Node) -> None:
    waiting = [asyncio.create_task(here.wake_ups.wait(LONG)) for _ in range(3)]
    await _until_it_listens(here)
    await here.wake_ups.close()
    await here.wake_ups.close()
    async with asyncio.timeout(IN_TIME):
        await asyncio.gather(*waiting)


async def test_what_is_heard_only_rises(here: Node, elsewhere: Node) -> None:
    before = -1
    for number in range(5):
        await elsewhere.revoke(f"{number}")
        await here.wake_ups.wait(LONG, since=max(before, 0))
        assert here.wake_ups.heard > before
        before = here.wake_ups.heard


@pytest.mark.parametrize("adapter", ["sqlite"])
async def test_on_sqlite_what_the_process_itself_commits_rings_before_it_is_answered(here: Node) -> None:
    """Nobody waits, so nobody looks: only the commit itself can have rung."""
    heard = here.wake_ups.heard
    await here.revoke()
    assert here.wake_ups.heard > heard


@pytest.mark.parametrize("adapter", ["sqlite"])
async def test_a_commit_that_ends_nothing_rings_nobody(here: Node) -> None:
    heard = here.wake_ups.heard
    async with here.storage.write() as work:
        await work.set_setting("a", "b")
    assert here.wake_ups.heard == heard
