"""Who reads the feed: what a reader says and what its node says of it are kept apart and never taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ostiary.model.feed_reader import FeedReader
from ostiary.model.revocation import KEPT_BEYOND_ITS_END
from ostiary.storage.base import Storage
from tests.contract.storage.examples import NOW, revocation

pytestmark = pytest.mark.anyio

READER = FeedReader(b"1" * 32, "api_orders", "node-1", 5, NOW, NOW + 900)
OTHER = FeedReader(b"2" * 32, "api_orders", "node-2", 7, NOW, NOW + 900)


async def _added(storage: Storage, *readers: FeedReader) -> None:
    async with storage.write() as work:
        for reader in readers:
            await work.feed_readers.add(reader)


async def _found(storage: Storage) -> list[FeedReader]:
    async with storage.read() as work:
        return await work.feed_readers.list()


async def _applied(storage: Storage, reader: FeedReader, position: int, tenant: str = "default") -> bool:
    async with storage.write() as work:
        return await work.feed_readers.applied(
            reader.digest, position, seen_at=NOW + 9, expires_at=NOW + 909, tenant=tenant
        )


async def test_a_reader_says_what_it_has_applied_and_no_other_reader_is_changed(storage: Storage) -> None:
    await _added(storage, READER, OTHER)
    assert await _applied(storage, READER, 6)
    assert await _found(storage) == [replace(READER, position=6, seen_at=NOW + 9, expires_at=NOW + 909), OTHER]


async def test_a_lower_position_than_before_is_not_taken(storage: Storage) -> None:
    await _added(storage, READER)
    assert await _applied(storage, READER, 4)
    assert [reader.position for reader in await _found(storage)] == [5]


async def test_a_reader_that_is_gone_has_applied_nothing(storage: Storage) -> None:
    await _added(storage, READER, OTHER)
    async with storage.write() as work:
        await work.feed_readers.remove([READER.digest])
    assert not await _applied(storage, READER, 6)
    assert await _found(storage) == [OTHER]


async def test_a_node_keeps_its_own_readers_alone(storage: Storage) -> None:
    await _added(storage, READER, OTHER)
    async with storage.write() as work:
        await work.feed_readers.keep("node-1", seen_at=NOW + 5, expires_at=NOW + 905)
    assert await _found(storage) == [replace(READER, seen_at=NOW + 5, expires_at=NOW + 905), OTHER]


async def test_a_reader_of_another_tenant_is_neither_seen_nor_changed(storage: Storage) -> None:
    """attack 34."""
    await _added(storage, READER, replace(READER, tenant="b"))
    assert await _applied(storage, READER, 6, tenant="b")
    async with storage.write() as work:
        await work.feed_readers.keep("node-1", seen_at=NOW + 5, expires_at=NOW + 905, tenant="c")
        await work.feed_readers.remove([READER.digest], tenant="c")
    assert await _found(storage) == [READER]


async def test_a_reader_that_nobody_has_heard_of_for_long_is_deleted(storage: Storage) -> None:
    await _added(storage, READER, replace(OTHER, expires_at=NOW + 901))
    assert await storage.expire(NOW + 900) == 1
    assert [reader.digest for reader in await _found(storage)] == [OTHER.digest]


async def test_a_revocation_stays_in_the_log_for_apis_whose_clocks_are_slow(storage: Storage) -> None:
    async with storage.write() as work:
        await work.revocations.append(revocation(expires_at=NOW))
    assert await storage.expire(NOW + KEPT_BEYOND_ITS_END - 1) == 0
    async with storage.read() as work:
        assert len(await work.revocations.since(0)) == 1
    assert await storage.expire(NOW + KEPT_BEYOND_ITS_END) == 1
