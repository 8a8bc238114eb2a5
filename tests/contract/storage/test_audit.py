"""The audit log: gapless numbers of a writer, erasable personal data, sealed segments."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from hashlib import sha256

import pytest

from ostiary.errors import Unavailable
from ostiary.model.audit_row import AuditSegment
from ostiary.storage.base import Storage
from tests.contract.storage.conftest import OpenStorage
from tests.contract.storage.examples import NOW, event

pytestmark = pytest.mark.anyio


def segment(number: int = 1, rows: int = 2) -> AuditSegment:
    return AuditSegment(number, rows, b"\x00" * 32, b"h" * 32, "a.b.c", NOW)


async def test_numbers_have_no_gap_whatever_is_rolled_back(storage: Storage, open_storage: OpenStorage) -> None:
    async with open_storage() as other:

        async def caller(number: int) -> None:
            async with (storage if number % 2 else other).write() as work:
                await work.audit.append(event(f"{number}"))
                if number % 5 == 0:
                    raise RuntimeError
                await work.audit.append(event(f"{number} again"))

        await asyncio.gather(*(caller(number) for number in range(60)), return_exceptions=True)
    numbers: dict[str, list[int]] = defaultdict(list)
    async with storage.read() as work:
        for row in await work.audit.unsealed(1000):
            numbers[row.writer].append(row.number)
        assert dict(await work.audit.writers()) == {writer: len(given) for writer, given in numbers.items()}
    assert sum(len(given) for given in numbers.values()) == 96
    assert all(sorted(given) == list(range(1, len(given) + 1)) for given in numbers.values())
    assert len(numbers) >= 2


async def test_every_process_is_a_writer_of_its_own(open_storage: OpenStorage) -> None:
    for _ in range(2):
        async with open_storage() as storage, storage.write() as work:
            await work.audit.append(event())
    async with open_storage() as storage, storage.read() as work:
        assert [last for _, last in await work.audit.writers()] == [1, 1]


async def test_an_event_comes_back_as_it_was_told(storage: Storage) -> None:
    told = event(
        "billing",
        outcome="refused",
        actor="cli",
        key_thumbprint="thumb-1",
        reason="audience",
        trace_id="tr_1",
        details={"b": "ü", "a": "1"},
    )
    async with storage.write() as work:
        await work.audit.append(told)
        (row,) = await work.audit.unsealed(10)
        assert await work.audit.get(row.writer, 1) == row
    names = ("tag", "outcome", "at", "actor", "target", "key_thumbprint", "reason", "trace_id", "details", "tenant")
    assert {name: getattr(row, name) for name in names} == {name: getattr(told, name) for name in names}
    assert (row.personal, row.personal_salt, row.personal_digest, row.segment) == (None, None, None, None)


async def test_personal_data_can_be_erased_and_its_digest_stays(storage: Storage) -> None:
    async with storage.write() as work:
        await work.audit.append(event(personal={"name": "Ada", "address": "ada@example"}))
        await work.audit.append(event(personal={"name": "Ada", "address": "ada@example"}))
        first, second = await work.audit.unsealed(10)
        assert first.personal == {"name": "Ada", "address": "ada@example"}
        assert first.personal_salt is not None
        told = b'{"address":"ada@example","name":"Ada"}'
        assert first.personal_digest == sha256(first.personal_salt + told).digest()
        assert first.personal_digest != second.personal_digest
        assert await work.audit.erase_personal(first.writer, first.number)
        assert not await work.audit.erase_personal("nobody", 1)
        erased = await work.audit.get(first.writer, first.number)
        assert erased is not None
        assert (erased.personal, erased.personal_salt) == (None, None)
        assert erased.personal_digest == first.personal_digest
        assert await work.audit.get(second.writer, second.number) == second


async def test_unsealed_rows_come_in_the_order_of_time(storage: Storage) -> None:
    async with storage.write() as work:
        for at in (30, 10, 20):
            await work.audit.append(event(f"{at}", at=at))
        assert [row.target for row in await work.audit.unsealed(2)] == ["10", "20"]


async def test_every_row_gets_its_place_whether_its_number_follows_the_one_before_or_not(storage: Storage) -> None:
    order = [3, 4, 5, 1, 2, 7, 6, 10, 8]
    async with storage.write() as work:
        for _ in range(10):
            await work.audit.append(event())
        (writer,) = {row.writer for row in await work.audit.unsealed(20)}
        await work.audit.seal(segment(rows=len(order)), [(writer, number) for number in order])
        rows = await work.audit.rows_of(1)
        assert [(row.number, row.place) for row in rows] == [(number, place) for place, number in enumerate(order)]
        assert [row.number for row in await work.audit.unsealed(20)] == [9]


async def test_a_run_with_a_row_that_is_sealed_already_is_not_sealed(storage: Storage) -> None:
    async with storage.write() as work:
        for _ in range(3):
            await work.audit.append(event())
        (writer,) = {row.writer for row in await work.audit.unsealed(5)}
        await work.audit.seal(segment(1, rows=1), [(writer, 2)])
        with pytest.raises(Unavailable):
            await work.audit.seal(segment(2, rows=3), [(writer, number) for number in (1, 2, 3)])


async def test_a_segment_keeps_its_rows_in_the_order_of_the_chain(storage: Storage) -> None:
    async with storage.write() as work:
        for at in (10, 20, 30):
            await work.audit.append(event(f"{at}", at=at))
        first, second, third = await work.audit.unsealed(10)
        await work.audit.seal(segment(), [(row.writer, row.number) for row in (second, first)])
        assert [row.target for row in await work.audit.rows_of(1)] == ["20", "10"]
        assert [row.place for row in await work.audit.rows_of(1)] == [0, 1]
        assert await work.audit.unsealed(10) == [third]
        assert await work.audit.last_segment() == segment()
        await work.audit.seal(segment(2, 1), [(third.writer, third.number)])
        assert await work.audit.segments() == [segment(), segment(2, 1)]
        assert await work.audit.segments(after=1) == [segment(2, 1)]
        assert await work.audit.last_segment() == segment(2, 1)


@pytest.mark.parametrize("number", [1, 2], ids=["the segment is taken", "a row is sealed"])
async def test_of_two_sealers_one_is_refused_and_writes_nothing(storage: Storage, number: int) -> None:
    async with storage.write() as work:
        await work.audit.append(event("a"))
        await work.audit.append(event("b"))
        rows = [(row.writer, row.number) for row in await work.audit.unsealed(10)]
        await work.audit.seal(segment(), rows[:1])
    with pytest.raises(Unavailable):
        async with storage.write() as work:
            await work.audit.seal(segment(number), rows[1:] if number == 1 else [rows[1], rows[0]])
    async with storage.read() as work:
        assert await work.audit.segments() == [segment()]
        assert [row.target for row in await work.audit.unsealed(10)] == ["b"]


async def test_retention_drops_the_rows_of_a_segment_and_keeps_the_segment(storage: Storage) -> None:
    async with storage.write() as work:
        for at in (10, 20, 30):
            await work.audit.append(event(at=at))
        rows = [(row.writer, row.number) for row in await work.audit.unsealed(10)]
        await work.audit.seal(segment(1, 2), rows[:2])
        assert await work.audit.drop_rows(1, at=NOW + 9) == 2
        assert await work.audit.rows_of(1) == []
        (dropped,) = await work.audit.segments()
        assert (dropped.dropped_at, dropped.head) == (NOW + 9, b"h" * 32)
        assert len(await work.audit.unsealed(10)) == 1


async def test_events_are_found_by_every_filter_and_in_pages(storage: Storage) -> None:
    async with storage.write() as work:
        await work.audit.append(event("x", at=1, tag="a", actor="cli"))
        await work.audit.append(event("y", at=2, tag="a", trace_id="tr_1"))
        await work.audit.append(event("y", at=3, tag="b", actor="cli"))
        found = [
            await work.audit.query(),
            await work.audit.query(tag="a"),
            await work.audit.query(actor="cli"),
            await work.audit.query(target="y"),
            await work.audit.query(trace_id="tr_1"),
            await work.audit.query(tag="a", actor="cli"),
            await work.audit.query(limit=1),
        ]
        assert [[row.at for row in rows] for rows in found] == [[1, 2, 3], [1, 2], [1, 3], [2, 3], [2], [1], [1]]
        last = found[-1][0]
        assert [row.at for row in await work.audit.query(after=(last.at, last.writer, last.number))] == [2, 3]


async def test_folding_deletes_the_segments_up_to_one(storage: Storage) -> None:
    async with storage.write() as work:
        for number in (1, 2, 3):
            await work.audit.append(event(f"{number}"))
            (row,) = await work.audit.unsealed(10)
            await work.audit.seal(segment(number, 1), [(row.writer, row.number)])
    async with storage.write() as work:
        assert await work.audit.fold(2) == 2
        assert await work.audit.fold(2) == 0
    async with storage.read() as work:
        assert [one.segment for one in await work.audit.segments()] == [3]


async def test_rows_of_segments_outside_a_range_are_named(storage: Storage) -> None:
    async with storage.write() as work:
        for number in (1, 2, 3):
            await work.audit.append(event(f"{number}"))
            (row,) = await work.audit.unsealed(10)
            await work.audit.seal(segment(number, 1), [(row.writer, row.number)])
        await work.audit.append(event("unsealed"))
        assert await work.audit.strays(1, 3) == []
        assert await work.audit.strays(2, 2) == [(row.writer, 1, 1), (row.writer, 3, 3)]
