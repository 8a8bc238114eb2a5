"""Status lists in both databases: no place twice, no publication lost, and what a row of the log ends is found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ostiary.errors import OstiaryError
from ostiary.model.status_list import StatusList, StatusListHead, StatusPlace
from ostiary.storage.base import Storage, UnitOfWork
from ostiary.storage.connection import Conflict
from tests.contract.storage.conftest import OpenStorage
from tests.contract.storage.examples import NOW, revocation, token

pytestmark = pytest.mark.anyio

HEAD = StatusListHead("one", "kid-1", version=1, position=3, opened_at=3, renew_at=NOW + 300, expires_at=NOW + 900)
LIST = StatusList(HEAD, bytes(16), 0, bytes(16), b"a.b.c", created_at=NOW)


async def _add(storage: Storage, *lists: StatusList) -> None:
    async with storage.write() as work:
        for one in lists:
            await work.status_lists.add(one)


async def test_a_list_is_found_by_its_id_until_it_has_ended(storage: Storage) -> None:
    await _add(storage, LIST)
    async with storage.read() as work:
        assert await work.status_lists.get("one") == LIST
        assert await work.status_lists.get("two") is None
        assert await work.status_lists.heads(NOW + 899) == [HEAD]
        assert await work.status_lists.heads(NOW + 900) == []


async def test_the_oldest_list_with_room_is_open(storage: Storage) -> None:
    full = replace(LIST, head=replace(HEAD, list_id="full"), given_count=96, created_at=NOW - 2)
    ended = replace(LIST, head=replace(HEAD, list_id="ended", expires_at=NOW), created_at=NOW - 1)
    younger = replace(LIST, head=replace(HEAD, list_id="younger"), created_at=NOW + 1)
    await _add(storage, full, ended, younger, LIST)
    async with storage.read() as work:
        assert await work.status_lists.open(96, NOW) == LIST
        assert await work.status_lists.open(0, NOW) is None
        assert await work.status_lists.open(96, NOW, since=3) == LIST
        assert await work.status_lists.open(96, NOW, since=4) is None


async def test_of_two_that_draw_at_once_one_is_told_to_draw_again(storage: Storage, open_storage: OpenStorage) -> None:
    await _add(storage, LIST)
    async with open_storage() as other, other.write() as work:
        assert await work.status_lists.give(LIST, b"\xff" * 16, 8, NOW + 1000)
    async with storage.write() as work:
        assert not await work.status_lists.give(LIST, b"\x0f" * 16, 4, NOW + 2000)
        found = await work.status_lists.get("one")
        assert found is not None
        assert (found.given, found.given_count, found.head.expires_at) == (b"\xff" * 16, 8, NOW + 1000)


async def test_a_draw_never_shortens_the_life_of_a_list(storage: Storage) -> None:
    await _add(storage, LIST)
    async with storage.write() as work:
        await work.status_lists.give(LIST, LIST.given, 8, NOW + 1)
        found = await work.status_lists.get("one")
    assert found is not None
    assert found.head.expires_at == HEAD.expires_at


async def test_only_the_next_version_is_published_and_the_end_stays(storage: Storage) -> None:
    await _add(storage, LIST)
    second = replace(HEAD, version=2, kid="kid-2", position=9, renew_at=NOW + 500, expires_at=0)
    async with storage.write() as work:
        assert await work.status_lists.publish(second, b"\x01" * 16, b"d.e.f")
        assert not await work.status_lists.publish(second, b"\x02" * 16, b"g.h.i")
        assert not await work.status_lists.publish(replace(second, list_id="two"), b"", b"")
        found = await work.status_lists.get("one")
    assert found == replace(
        LIST, head=replace(second, expires_at=HEAD.expires_at), statuses=b"\x01" * 16, token=b"d.e.f"
    )


async def test_no_two_tokens_have_one_place(storage: Storage) -> None:
    async with storage.write() as work:
        await work.tokens.add(token("1", status_list="one", status_index=7))
        await work.tokens.add(token("2", status_list="two", status_index=7))
        await work.tokens.add(token("3"))
        await work.tokens.add(token("4"))
        assert (await work.tokens.by_jti("1")) == token("1", status_list="one", status_index=7)
    with pytest.raises((Conflict, OstiaryError)):
        async with storage.write() as work:
            await work.tokens.add(token("5", status_list="one", status_index=7))


PLACED = {"status_list": "one", "session_id": "s1", "certificate_thumbprint": "x5t"}
NAMED = [
    ("jti", "a"),
    ("client", "billing"),
    ("sub", "billing"),
    ("grant", "g1"),
    ("sid", "s1"),
    ("client_key", "thumb-1"),
    ("client_key", "x5t"),
    ("signing_key", "signer-1"),
    ("installation", ""),
]


async def _ended(work: UnitOfWork, row: Any, page: int = 2000) -> set[int]:
    pages = [places async for places in work.status_lists.ended_by(row, now=NOW, page=page)]
    assert all(isinstance(place, StatusPlace) and place.list_id == "one" for places in pages for place in places)
    assert all(len(places) <= page for places in pages)
    return {place.index for places in pages for place in places}


@pytest.mark.parametrize(("kind", "value"), NAMED)
async def test_a_row_finds_the_placed_tokens_that_it_ends(storage: Storage, kind: str, value: str) -> None:
    async with storage.write() as work:
        await work.tokens.add(token("a", **PLACED, status_index=1, rev=4))
        await work.tokens.add(token("b", status_list="one", status_index=2, client_id="x", subject="x", grant_id="x"))
        await work.tokens.add(token("c", **PLACED | {"status_list": None}, rev=4))
        row = revocation(kind, value, position=5)
        shared = {1, 2} if value in ("thumb-1", "signer-1", "") else {1}
        assert await _ended(work, row) == shared
        if value:
            assert 1 not in await _ended(work, replace(row, value="other"))


@pytest.mark.parametrize(("kind", "value"), NAMED[1:])
async def test_a_row_finds_no_token_of_its_own_position_and_none_that_has_expired(
    storage: Storage, kind: str, value: str
) -> None:
    async with storage.write() as work:
        await work.tokens.add(token("a", **PLACED, status_index=1, rev=5))
        await work.tokens.add(token("b", **PLACED, status_index=2, rev=4, expires_at=NOW))
        assert await _ended(work, revocation(kind, value, position=5)) == set()


async def test_many_tokens_are_found_in_pages(storage: Storage) -> None:
    async with storage.write() as work:
        for number in range(25):
            await work.tokens.add(token(f"{number:03}", **PLACED, status_index=number))
        for kind, value in NAMED[1:]:
            assert await _ended(work, revocation(kind, value, position=5), page=10) == set(range(25))


async def test_a_list_that_has_ended_is_deleted(storage: Storage) -> None:
    await _add(storage, LIST, replace(LIST, head=replace(HEAD, list_id="live", expires_at=NOW + 901)))
    while await storage.expire(NOW + 900):
        pass
    async with storage.read() as work:
        assert [head.list_id for head in await work.status_lists.heads(0)] == ["live"]
