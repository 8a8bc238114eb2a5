"""Used ids at the server: standards 6 and 38, attack 6's kin: an assertion is taken once, whatever its expiry says."""

from __future__ import annotations

import asyncio

import pytest

from ostiary.storage.base import MarksLost, Storage
from tests.contract.storage.conftest import OpenStorage
from tests.contract.storage.examples import NOW

pytestmark = pytest.mark.anyio

LIVES = (1, 60, 119, 120, 300, 360, 361, 600, 3600, 28_800, 86_399, 86_400)


async def _mark(storage: Storage, jti: str, life: int, *, issuer: str = "billing", now: int = NOW) -> bool:
    async with storage.write() as work:
        return await work.replay.mark(issuer, jti, expires_at=now + life, now=now)


async def test_one_of_50_parallel_marks_wins(storage: Storage, open_storage: OpenStorage) -> None:
    """standards 6: refuse repeats."""
    async with open_storage() as other:
        marks = [_mark(storage if number % 2 else other, "j1", 60) for number in range(50)]
        assert (await asyncio.gather(*marks)).count(True) == 1


async def test_the_same_id_with_another_expiry_is_refused(storage: Storage) -> None:
    """standards 6: for every pair of lives, also of different kinds of buckets."""
    async with storage.write() as work:
        for first in LIVES:
            for second in LIVES:
                jti = f"{first}-{second}"
                assert await work.replay.mark("billing", jti, expires_at=NOW + first, now=NOW)
                assert not await work.replay.mark("billing", jti, expires_at=NOW + second, now=NOW)


@pytest.mark.parametrize("life", LIVES)
async def test_a_mark_lasts_until_its_expiry_and_expiry_does_not_delete_it_before(storage: Storage, life: int) -> None:
    """standards 38: remembered for the whole acceptance window."""
    assert await _mark(storage, "j1", life)
    for now in (NOW + life // 2, NOW + life - 1):
        await storage.expire(now)
        assert not await _mark(storage, "j1", 60, now=now)


@pytest.mark.parametrize("offset", range(0, 120, 17))
@pytest.mark.parametrize("life", [360, 86_400])
async def test_a_clock_that_is_set_back_two_minutes_forgets_nothing(storage: Storage, life: int, offset: int) -> None:
    now = NOW + offset
    assert await _mark(storage, "j1", life, now=now)
    assert not await _mark(storage, "j1", 60, now=now - 120)


async def test_another_issuer_may_use_the_same_id(storage: Storage) -> None:
    assert await _mark(storage, "j1", 60)
    assert await _mark(storage, "j1", 60, issuer="other")
    assert await _mark(storage, "bj1", 60, issuer="a")
    assert await _mark(storage, "j1", 60, issuer="ab")


async def test_a_mark_for_more_than_a_day_is_refused(storage: Storage) -> None:
    with pytest.raises(ValueError, match="one day"):
        await _mark(storage, "j1", 86_401)


async def test_a_flood_does_not_empty_the_memory(storage: Storage) -> None:
    """standards 38: a store that a flood cannot empty."""
    assert await _mark(storage, "victim", 300)
    async with storage.write() as work:
        for number in range(3000):
            assert await work.replay.mark("flood", f"{number}", expires_at=NOW + 300, now=NOW)
    await storage.expire(NOW, batch=10_000)
    assert not await _mark(storage, "victim", 300)


async def test_marks_are_deleted_after_their_end_in_batches(storage: Storage) -> None:
    async with storage.write() as work:
        for number in range(25):
            await work.replay.mark("billing", f"{number}", expires_at=NOW + 60, now=NOW)
    later = NOW + 60 + 120
    assert [await storage.expire(later, batch=10) for _ in range(4)] == [10, 10, 5, 0]


async def _marked(storage: Storage, jti: str, usable_from: int | None, *, expires_at: int = NOW + 60) -> bool:
    async with storage.write() as work:
        return await work.replay.mark("billing", jti, expires_at=expires_at, now=NOW, usable_from=usable_from)


async def test_what_may_have_been_used_before_a_loss_is_refused_and_later_things_are_not(
    storage: Storage, open_storage: OpenStorage
) -> None:
    """Marks that are lost are remembered as lost, by every process."""
    async with storage.write() as work:
        await work.replay.lost_before(NOW)
    async with open_storage() as other:
        for one in (storage, other):
            for earliest, wait in ((NOW - 5, 6), (NOW, 1)):
                with pytest.raises(MarksLost) as lost:
                    await _marked(one, "j1", earliest)
                assert lost.value.retry_after == wait
        assert await _marked(storage, "j1", NOW + 1)
        assert not await _marked(other, "j1", NOW + 1)


async def test_a_mark_of_which_nothing_is_known_may_have_been_made_a_day_before_its_end(storage: Storage) -> None:
    async with storage.write() as work:
        await work.replay.lost_before(NOW)
    with pytest.raises(MarksLost):
        await _marked(storage, "j1", None, expires_at=NOW + 86_400)
    async with storage.write() as work:
        assert await work.replay.mark("billing", "j1", expires_at=NOW + 86_401, now=NOW + 1)


async def test_an_earlier_loss_does_not_take_a_later_one_back(storage: Storage) -> None:
    for at in (NOW, NOW - 3600):
        async with storage.write() as work:
            await work.replay.lost_before(at)
    with pytest.raises(MarksLost):
        await _marked(storage, "j1", NOW)


async def test_a_loss_binds_the_unit_of_work_that_tells_it(storage: Storage) -> None:
    async with storage.write() as work:
        await work.positions()
        await work.replay.lost_before(NOW)
        with pytest.raises(MarksLost):
            await work.replay.mark("billing", "j1", expires_at=NOW + 60, now=NOW, usable_from=NOW)
