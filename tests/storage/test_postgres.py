"""What only PostgreSQL can do to us: crash, end connections, find deadlocks; each is a refusal, and nothing is lost."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from ostiary.errors import Unavailable
from ostiary.storage.connection import Conflict
from ostiary.storage.migrate import upgrade
from ostiary.storage.postgres import PostgresStorage
from tests.contract.storage.examples import NOW, client, event, revocation, token
from tests.real_parts.postgres import PostgresServer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def storage(migrated_postgres_url: str) -> PostgresStorage:
    storage = PostgresStorage(migrated_postgres_url, pool_size=3, patience=0.2)
    await storage.open()
    return storage


async def _write(storage: PostgresStorage, name: str, *, brief: bool = False) -> None:
    async with storage.write(brief=brief) as work:
        await work.tokens.add(token(name))
        await work.audit.append(event(name))


@pytest.mark.parametrize("brief", [False, True])
async def test_what_was_answered_survives_a_crash_of_the_server_and_the_pool_recovers(brief: bool) -> None:
    with PostgresServer(fsync=True) as server:
        url = server.fresh_database()
        upgrade(url)
        storage = PostgresStorage(url, pool_size=3)
        await storage.open()
        await asyncio.gather(*(_write(storage, f"{number}", brief=brief) for number in range(20)))
        server.crash()
        with pytest.raises(Unavailable):
            await _write(storage, "while it is down", brief=brief)
        with pytest.raises(Unavailable):
            await storage.positions()
        server.start()
        await _write(storage, "after", brief=brief)
        async with storage.read() as work:
            kept = {row.jti for row in await work.tokens.of_client("billing", now=NOW)}
            rows = await work.audit.unsealed(100)
            assert sum(last for _, last in await work.audit.writers()) == len(rows) == 21
        assert kept == {f"{number}" for number in range(20)} | {"after"}
        await storage.close()


async def test_a_connection_that_is_ended_in_the_middle_refuses_and_its_writer_is_not_used_again(
    storage: PostgresStorage, migrated_postgres_url: str
) -> None:
    await _write(storage, "before")

    async def cut() -> None:
        async with storage.write() as work:
            await work.audit.append(event("lost"))
            with psycopg.connect(migrated_postgres_url, autocommit=True) as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            await work.audit.append(event("lost too"))

    with pytest.raises(Unavailable):
        await cut()
    await _write(storage, "after")
    async with storage.read() as work:
        assert {row.target for row in await work.audit.unsealed(9)} == {"before", "after"}
        assert [last for _, last in await work.audit.writers()] == [1, 1]
    await storage.close()


async def test_a_deadlock_refuses_one_and_lets_the_other_through(storage: PostgresStorage) -> None:
    async with storage.write() as work:
        await work.clients.add(client("a"))
        await work.clients.add(client("b"))
    both = asyncio.Barrier(2)

    async def change(first: str, second: str) -> None:
        async with storage.write() as work:
            await work.clients.replace(client(first, owner=first))
            await both.wait()
            await work.clients.replace(client(second, owner=first))

    outcomes = await asyncio.gather(change("a", "b"), change("b", "a"), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Contended", "NoneType"]
    async with storage.read() as work:
        assert len({row.owner for row in await work.clients.list()}) == 1
    await storage.close()


async def test_two_that_will_change_the_registry_take_turns(
    storage: PostgresStorage, migrated_postgres_url: str
) -> None:
    """Had they only held it, each would wait for the other to let go."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        " AND pid <> pg_backend_pid()"
    )

    async def change(name: str) -> int:
        async with storage.write() as work:
            position = (await work.positions(changing=True)).registry
            await work.clients.add(client(name))
        return position

    with psycopg.connect(migrated_postgres_url, autocommit=True) as watcher:
        async with storage.write() as work:
            before = (await work.positions(changing=True)).registry
            second = asyncio.ensure_future(change("second"))
            for _ in iter(lambda: watcher.execute(waiting).fetchone(), (1,)):
                await asyncio.sleep(0)
            await work.clients.add(client("first"))
    assert await second == before + 1
    assert (await storage.positions()).registry == before + 2
    await storage.close()


async def test_a_caller_without_a_connection_in_time_is_refused(storage: PostgresStorage) -> None:
    async with storage.write(), storage.write(), storage.write():
        with pytest.raises(Unavailable, match="in use"):
            await _write(storage, "one too many")
    await _write(storage, "afterwards")
    await storage.close()


async def test_a_statement_that_failed_cannot_be_committed_over(storage: PostgresStorage) -> None:
    async def swallow() -> None:
        async with storage.write() as work:
            await work.tokens.add(token("same"))
            await work.audit.append(event())
            await work.tokens.add(token("same"))
            with pytest.raises(Conflict):
                await work.tokens.by_jti("same")

    with pytest.raises(Unavailable):
        await swallow()
    await _write(storage, "after")
    async with storage.read() as work:
        assert [row.target for row in await work.audit.unsealed(9)] == ["after"]
    await storage.close()


async def test_a_statement_that_failed_with_the_commit_refuses_all_of_its_unit_of_work(
    storage: PostgresStorage,
) -> None:
    """Its failure is told by the commit alone, since nobody waited for it."""
    await _write(storage, "same")

    async def write() -> None:
        async with storage.write() as work:
            await work.audit.append(event("lost"))
            await work.tokens.add(token("same"))
            await work.audit.append(event("lost too"))

    with pytest.raises(Conflict):
        await write()
    await _write(storage, "after")
    async with storage.read() as work:
        # Two writers, two rows of one moment: which of them comes first is left open.
        assert sorted(row.target for row in await work.audit.unsealed(9)) == ["after", "same"]
        assert [last for _, last in await work.audit.writers()] == [1, 1]
    await storage.close()


async def test_a_token_is_three_trips_and_its_position_one(storage: PostgresStorage) -> None:
    """The registry is held and read, the mark is made, and all that is written travels with the commit."""

    async def issue(name: str) -> None:
        async with storage.write() as work:
            await work.positions()
            assert await work.replay.mark("billing", name, expires_at=NOW + 60, now=NOW)
            await work.tokens.add(token(name))
            await work.audit.append(event(name))

    await issue("first")
    before = storage.trips
    await issue("second")
    assert storage.trips - before == 3
    await storage.positions()  # with the first comparison of the clocks
    before = storage.trips
    await storage.positions()
    assert storage.trips - before == 1
    await storage.close()


async def test_positions_asked_at_one_moment_share_a_question_and_are_never_old(storage: PostgresStorage) -> None:
    for number in range(1, 6):
        async with storage.write() as work:
            await work.revocations.append(revocation("jti", f"{number}"))
        answers = await asyncio.gather(*(storage.positions() for _ in range(30)))
        assert {answer.revocation for answer in answers} == {number}
    assert storage.asked <= 10
    await storage.close()


async def test_a_position_below_one_that_was_seen_never_appears_later(storage: PostgresStorage) -> None:
    """The counter's row is held until the commit: a second revoker waits for the first one's end."""
    first_has_position, end_first = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with storage.write() as work:
            await work.revocations.append(revocation("jti", "first"))
            await work.positions()
            first_has_position.set()
            await end_first.wait()

    async def second() -> None:
        async with storage.write() as work:
            await work.revocations.append(revocation("jti", "second"))

    one = asyncio.create_task(first())
    await first_has_position.wait()
    two = asyncio.create_task(second())
    await asyncio.sleep(0.05)
    assert not two.done()
    assert (await storage.positions()).revocation == 0
    end_first.set()
    await asyncio.gather(one, two)
    async with storage.read() as work:
        assert [(row.position, row.value) for row in await work.revocations.since(0)] == [(1, "first"), (2, "second")]
    await storage.close()


@pytest.mark.parametrize("patient", [False, True])
async def test_only_work_that_nobody_waits_for_outlasts_the_deadline(postgres_url: str, patient: bool) -> None:
    """As an operator's new epoch, which ends every session and grant in one transaction."""
    upgrade(postgres_url)
    storage = PostgresStorage(postgres_url, deadline=0.2, patient=patient)
    await storage.open()
    held = await psycopg.AsyncConnection.connect(postgres_url)
    await held.execute("LOCK TABLE settings IN EXCLUSIVE MODE")

    async def write() -> None:
        async with storage.write() as work:
            await work.set_setting("a", "b")

    writing = asyncio.create_task(write())
    done, _ = await asyncio.wait([writing], timeout=0.6)
    await held.rollback()
    await held.close()
    if patient:
        assert not done
        await writing
    else:
        with pytest.raises(Unavailable):
            await writing
    await storage.close()
