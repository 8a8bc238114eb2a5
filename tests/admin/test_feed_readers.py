"""Who knows what was revoked, API by API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ostiary.admin.feed_readers import LIVE, ApiReaders, Overall, overall, readers
from ostiary.model.feed_reader import FeedReader
from ostiary.revocation.act import Act
from ostiary.revocation.installation import raise_epoch
from tests.authorization_server.world import BILLS, ORDERS, World, shop_world

NOW = 1_800_000_000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with shop_world(tmp_path) as built:
        yield built


def reading(world: World, number: int, position: int, *, client_id: str = "api_orders", seen_at: int = NOW) -> None:
    reader = FeedReader(bytes([number]) * 32, client_id, "node-1", position, seen_at, seen_at + 900)
    world.write(lambda work: work.feed_readers.add(reader))


def revoke(world: World, *values: str) -> None:
    world.write(
        *(lambda work, value=value: work.revocations.append(Act("cli", NOW).row("jti", value)) for value in values)
    )


def known(world: World, api: str, position: int | None = None) -> ApiReaders:
    found = world.run(readers(world.storage, now=NOW, position=position))
    return next(one for one in found if one.identifier == api)


def test_an_api_whose_readers_have_all_applied_a_position_knows_it(world: World) -> None:
    revoke(world, "t-1", "t-2", "t-3")
    reading(world, 1, 3, seen_at=NOW - 4)
    reading(world, 2, 2, seen_at=NOW - 1)
    assert known(world, ORDERS) == ApiReaders(ORDERS, "active", "self-contained", 3, 2, 1, 2, 1, 4)
    assert not known(world, ORDERS).all_applied
    assert known(world, ORDERS, 2).all_applied
    assert not known(world, ORDERS, 3).all_applied


def test_a_new_epoch_puts_nobody_four_billion_rows_behind(world: World) -> None:
    reading(world, 1, 2)
    world.write(lambda work: raise_epoch(work, Act("cli", NOW)))
    assert known(world, ORDERS).behind == 1


def test_an_api_without_readers_knows_nothing(world: World) -> None:
    reading(world, 1, 0)
    assert known(world, BILLS) == ApiReaders(BILLS, "active", "self-contained", 0, 0, 0, None, None, None)
    assert not known(world, BILLS, 0).all_applied


def test_a_reader_that_was_not_heard_of_for_long_counts_no_more(world: World) -> None:
    reading(world, 1, 9, seen_at=NOW - LIVE)
    assert known(world, ORDERS).readers == 0
    reading(world, 2, 9, seen_at=NOW - LIVE + 1)
    assert known(world, ORDERS).readers == 1


def test_a_reader_counts_for_every_api_of_its_identity(world: World) -> None:
    more = "https://more.example.com"
    world.add_api(more, client_id=None)
    reading(world, 1, 0)
    assert (known(world, ORDERS).readers, known(world, more).readers) == (1, 0)


def test_all_readers_together_are_as_far_as_the_slowest(world: World) -> None:
    revoke(world, "t-1", "t-2", "t-3")
    reading(world, 1, 3, seen_at=NOW - 4)
    reading(world, 2, 1, client_id="api_bills", seen_at=NOW - 9)
    reading(world, 3, 0, seen_at=NOW - LIVE)
    assert world.run(overall(world.storage, now=NOW)) == Overall(3, 2, 2, 4, 9)


def test_nobody_is_behind_where_nobody_reads(world: World) -> None:
    revoke(world, "t-1")
    assert world.run(overall(world.storage, now=NOW)) == Overall(1, 0, 0, 0, 0)
