"""What only a transaction on PostgreSQL that several share can go through: the trips, locks of others, lost ends."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import psycopg
import pytest

from ostiary.errors import Unavailable
from ostiary.replay.buckets import bucket_of, digest_of
from ostiary.storage.base import Contended, Unanswered, UnitOfWork
from ostiary.storage.postgres import PostgresStorage
from tests.contract.storage.examples import NOW, client, event, revocation, token

pytestmark = pytest.mark.anyio


@pytest.fixture
async def storage(migrated_postgres_url: str) -> AsyncIterator[PostgresStorage]:
    storage = PostgresStorage(migrated_postgres_url, pool_size=3, patience=0.2)
    await storage.open()
    yield storage
    await storage.close()


async def _issue(work: UnitOfWork, name: str) -> None:
    await work.positions()
    assert await work.replay.mark("billing", name, expires_at=NOW + 60, now=NOW)
    await work.tokens.add(token(name))
    await work.audit.append(event(name))


async def _together(storage: PostgresStorage, name: str) -> None:
    async with storage.write(brief=True) as work:
        await _issue(work, name)


async def _kept(storage: PostgresStorage) -> int:
    async with storage.read() as work:
        rows = await work.audit.unsealed(1000)
        assert sum(last for _, last in await work.audit.writers()) == len(rows)
    return len(rows)


@pytest.mark.parametrize("callers", [1, 2, 40])
async def test_callers_of_one_moment_make_the_trips_of_one(storage: PostgresStorage, callers: int) -> None:
    await _together(storage, "first")
    before = storage.trips
    await asyncio.gather(*(_together(storage, f"{number}") for number in range(callers)))
    assert storage.trips - before == 3
    assert await _kept(storage) == callers + 1


async def test_revocations_of_one_moment_raise_the_position_once_for_all(storage: PostgresStorage) -> None:
    async def revoke(name: str) -> None:
        async with storage.write(brief=True) as work:
            await work.positions()
            assert await work.replay.mark("billing", name, expires_at=NOW + 60, now=NOW)
            await work.revocations.append(revocation("jti", name))

    await revoke("first")
    before = storage.trips
    await asyncio.gather(*(revoke(f"{number}") for number in range(40)))
    assert storage.trips - before == 4
    assert (await storage.positions()).revocation == 41


async def test_of_more_than_one_wave_takes_the_others_take_the_rest(migrated_postgres_url: str) -> None:
    storage = PostgresStorage(migrated_postgres_url, pool_size=3, patience=60)
    await storage.open()
    await asyncio.gather(*(_together(storage, f"{number}") for number in range(300)))
    assert storage.trips <= 5 * 3
    assert await _kept(storage) == 300
    await storage.close()


async def test_who_wants_what_another_transaction_holds_waits_alone(
    storage: PostgresStorage, migrated_postgres_url: str
) -> None:
    """The others of its wave are answered while it waits, when they have tried again."""
    mark = "INSERT INTO replay_marks (bucket, tenant, digest) VALUES (%s, 'default', %s)"
    async with await psycopg.AsyncConnection.connect(migrated_postgres_url) as holder:
        await holder.execute(mark, [bucket_of(NOW + 60, NOW), digest_of("billing", "held")])

        async def once(name: str) -> bool:
            async with storage.write() as work:
                return await work.replay.mark("billing", name, expires_at=NOW + 60, now=NOW)

        outcomes = await asyncio.gather(
            *(_together(storage, name) for name in ("a", "held", "b")), return_exceptions=True
        )
        assert {type(outcome) for outcome in outcomes} == {Contended}
        waits = asyncio.ensure_future(once("held"))
        assert await once("a")
        await _together(storage, "b")
        assert not waits.done()
        await holder.rollback()
        assert await waits


async def test_nobody_changes_the_registry_while_somebody_who_decided_by_it_is_inside(
    storage: PostgresStorage, migrated_postgres_url: str
) -> None:
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        " AND pid <> pg_backend_pid()"
    )

    async def change() -> None:
        async with storage.write() as work:
            await work.clients.add(client())

    with psycopg.connect(migrated_postgres_url, autocommit=True) as watcher:
        async with storage.write(brief=True) as work:
            before = (await work.positions()).registry
            changing = asyncio.ensure_future(change())
            for _ in iter(lambda: watcher.execute(waiting).fetchone(), (1,)):
                await asyncio.sleep(0)
            await work.audit.append(event())
    await changing
    assert (await storage.positions()).registry == before + 1


async def test_a_connection_that_ends_in_the_middle_refuses_all_of_them_and_keeps_nothing(
    storage: PostgresStorage, migrated_postgres_url: str
) -> None:
    await _together(storage, "before")
    inside = asyncio.Barrier(3)

    async def cut(name: str) -> None:
        async with storage.write(brief=True) as work:
            await _issue(work, name)
            if await inside.wait() == 0:
                with psycopg.connect(migrated_postgres_url, autocommit=True) as admin:
                    admin.execute(
                        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )

    outcomes = await asyncio.gather(*(cut(f"{number}") for number in range(3)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    await _together(storage, "after")
    assert await _kept(storage) == 2


async def test_a_connection_that_falls_silent_holds_up_nobody_who_can_have_another(migrated_postgres_url: str) -> None:
    storage = PostgresStorage(migrated_postgres_url)
    await storage.open()
    await _together(storage, "first")
    with psycopg.connect(migrated_postgres_url) as watcher:
        (silent,) = watcher.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone() or (0,)
    os.kill(silent, signal.SIGSTOP)
    try:
        for turn in "ab":
            await asyncio.gather(*(_together(storage, f"{turn}{number}") for number in range(20)))
    finally:
        os.kill(silent, signal.SIGCONT)
    assert await _kept(storage) == 41
    await storage.close()


async def test_whoever_does_not_leave_is_not_waited_for_longer_than_the_deadline(migrated_postgres_url: str) -> None:
    """The others are refused, whoever stayed is refused when it leaves, and nothing of theirs is kept."""
    storage = PostgresStorage(migrated_postgres_url, deadline=0.3)
    await storage.open()
    leave = asyncio.Event()

    async def stay(fault: Exception | None) -> None:
        async with storage.write(brief=True) as work:
            await _issue(work, str(fault))
            await leave.wait()
            await work.audit.append(event("late"))
            if fault is not None:
                raise fault

    fault = RuntimeError("bug")
    staying = [asyncio.ensure_future(stay(None)), asyncio.ensure_future(stay(fault))]
    outcomes = await asyncio.gather(_together(storage, "a"), _together(storage, "b"), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unanswered, Unanswered]
    await _together(storage, "after")
    assert await _kept(storage) == 1
    await storage.close()
    leave.set()
    stayed = await asyncio.gather(*staying, return_exceptions=True)
    assert [type(outcome) for outcome in stayed] == [Unanswered, RuntimeError]


async def test_a_statement_that_fails_unheard_undoes_them_all_and_commits_nothing(storage: PostgresStorage) -> None:
    await _together(storage, "same")

    async def again() -> None:
        async with storage.write(brief=True) as work:
            await work.tokens.add(token("same"))
            await work.audit.append(event("lost"))

    outcomes = await asyncio.gather(_together(storage, "a"), again(), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Contended}
    assert await _kept(storage) == 1


async def test_they_are_refused_in_time_when_every_connection_is_in_use(storage: PostgresStorage) -> None:
    async with storage.write(), storage.write(), storage.write():
        outcomes = await asyncio.gather(
            *(_together(storage, f"{number}") for number in range(4)), return_exceptions=True
        )
        assert {str(outcome) for outcome in outcomes if isinstance(outcome, Unavailable)} == {str(outcomes[0])}
    await _together(storage, "afterwards")
    assert await _kept(storage) == 1


async def test_however_many_of_them_are_held_up_others_have_a_connection(storage: PostgresStorage) -> None:
    go_on = asyncio.Event()

    async def held_up() -> None:
        async with storage.write(brief=True) as work:
            await work.positions()
            await go_on.wait()

    waiting: set[asyncio.Task[None]] = set()
    try:
        for _ in range(3):  # a wave that does not get on is not waited for after a moment
            waiting.add(asyncio.create_task(held_up()))
            done, _ = await asyncio.wait(waiting, timeout=0.08)
            assert not done
        assert await storage.positions()
    finally:
        go_on.set()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_storage_that_is_closed_lets_those_end_who_are_inside(migrated_postgres_url: str) -> None:
    storage = PostgresStorage(migrated_postgres_url)
    await storage.open()
    writing = [asyncio.ensure_future(_together(storage, f"{number}")) for number in range(200)]
    await asyncio.sleep(0)
    await storage.close()
    assert await asyncio.gather(*writing) == [None] * 200
