"""Places in status lists: random, never given twice whatever processes do at once; after a full list a new one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ostiary.authorization_server.status_lists import places
from ostiary.authorization_server.status_lists.places import BLOCK_LIFE, CAPACITY, SIZE, StatusPlaces
from ostiary.errors import Unavailable
from ostiary.model.status_list import StatusPlace
from ostiary.revocation import Act
from ostiary.revocation.installation import raise_epoch
from tests.authorization_server.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def process(world: World) -> StatusPlaces:
    return StatusPlaces(world.storage, world.signing_keys, world.settings, world.clock)


def taken(world: World, *processes: StatusPlaces, each: int) -> list[StatusPlace]:
    async def work() -> list[StatusPlace]:
        return list(await asyncio.gather(*(one.take(0) for _ in range(each) for one in processes)))

    return world.run(work())


def given(world: World) -> list[int]:
    heads = world.read(lambda work: work.status_lists.heads(0))
    return [world.read(lambda work, head=head: work.status_lists.get(head.list_id)).given_count for head in heads]


def test_processes_that_draw_at_once_get_places_that_nobody_else_has(world: World) -> None:
    found = taken(world, process(world), process(world), process(world), each=500)
    assert len(set(found)) == 1500
    assert {place.list_id for place in found} == {found[0].list_id}


def test_a_process_that_uses_its_places_draws_more_at_once_and_an_idle_one_few(world: World) -> None:
    one = process(world)
    taken(world, one, each=16 + 32 + 64)
    assert given(world) == [16 + 32 + 64]
    taken(world, one, each=1)
    assert given(world) == [16 + 32 + 64 + 128]
    world.clock.now += BLOCK_LIFE
    taken(world, one, each=1)
    assert given(world) == [16 + 32 + 64 + 128 + 16]


def test_no_place_of_an_old_block_is_given(world: World) -> None:
    """Else its list could go before the token: the end of the list was fixed when the block was drawn."""
    one = process(world)
    taken(world, one, each=1)
    world.clock.now += BLOCK_LIFE - 1
    taken(world, one, each=1)
    assert given(world) == [16]
    world.clock.now += 1
    taken(world, one, each=1)
    assert given(world) == [32]


def test_a_clock_that_was_set_back_makes_no_block_younger(world: World) -> None:
    one = process(world)
    taken(world, one, each=1)
    world.clock.now -= 10
    taken(world, one, each=1)
    assert given(world) == [32]


def test_a_list_lives_as_long_as_the_last_token_with_a_place_in_it(world: World) -> None:
    one = process(world)
    for _ in range(2):
        place = taken(world, one, each=1)[0]
        last = world.clock.now + BLOCK_LIFE + world.settings.tokens.max_life
        found = world.read(lambda work, name=place.list_id: work.status_lists.get(name))
        assert found.head.expires_at > last
        world.clock.now += BLOCK_LIFE


def test_a_new_list_opens_when_one_is_full(world: World) -> None:
    one = process(world)
    first = taken(world, one, each=16)[0].list_id
    before = world.read(lambda work: work.status_lists.get(first))
    almost = bytearray(before.given)
    places.draw(almost, CAPACITY - 16 - 5)
    world.write(lambda work: work.status_lists.give(before, bytes(almost), CAPACITY - 5, before.head.expires_at))
    rest = taken(world, one, each=6)
    assert [place.list_id == first for place in rest] == [True] * 5 + [False]
    assert len(set(rest)) == 6
    full = world.read(lambda work: work.status_lists.get(first))
    assert sum(octet.bit_count() for octet in full.given) == full.given_count == CAPACITY < SIZE


def test_a_draw_finds_the_last_free_places() -> None:
    almost = bytearray(b"\xff" * 15 + b"\x7f")
    assert places.draw(almost, 1) == [127]
    assert almost == b"\xff" * 16


def test_drawn_places_are_spread_over_the_list() -> None:
    drawn = places.draw(bytearray(SIZE // 8), 1000)
    quarters = [sum(place // (SIZE // 4) == quarter for place in drawn) for quarter in range(4)]
    assert len(set(drawn)) == 1000
    assert all(150 < count < 350 for count in quarters)


def test_a_new_epoch_of_the_installation_gives_no_place_of_an_older_list(world: World) -> None:
    one = process(world)
    first = taken(world, one, each=1)[0].list_id
    world.write(lambda work: raise_epoch(work, Act("cli", world.clock())))
    position = world.run(world.storage.positions()).revocation
    assert world.run(one.take(position)).list_id != first
    assert taken(world, process(world), each=1)[0].list_id != first


def test_without_a_database_no_place_is_given(world: World) -> None:
    one = process(world)
    world.run(world.storage.close())
    with pytest.raises(Unavailable):
        taken(world, one, each=1)
    world.run(world.storage.open())


def test_without_a_signing_key_no_list_opens(world: World) -> None:
    one = process(world)
    world.signing_keys._view = replace(world.signing_keys._view, signers={})
    with pytest.raises(Unavailable):
        taken(world, one, each=1)
    assert given(world) == []
