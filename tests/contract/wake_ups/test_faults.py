"""Wake-ups whose database fails: readers look for themselves meanwhile, and are woken again afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import psycopg
import pytest
import valkey

from ostiary.errors import Unavailable
from ostiary.revocation_feed.base import WakeUps
from ostiary.revocation_feed.postgres import PostgresWakeUps
from ostiary.revocation_feed.redis import RedisWakeUps
from ostiary.revocation_feed.sqlite import SqliteWakeUps
from ostiary.storage.base import Positions
from ostiary.storage.ledger import CHANNEL
from ostiary.storage.migrate import upgrade
from ostiary.storage.postgres import PostgresStorage
from tests.contract.storage.examples import revocation
from tests.contract.wake_ups.test_wake_ups import IN_TIME, LONG
from tests.real_parts.postgres import PostgresServer
from tests.real_parts.valkey import ValkeyServer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def storage(migrated_postgres_url: str, anyio_backend: str) -> AsyncIterator[PostgresStorage]:
    storage = PostgresStorage(migrated_postgres_url)
    await storage.open()
    yield storage
    await storage.close()


async def _revoke(storage: PostgresStorage, value: str) -> None:
    async with storage.write() as work:
        await work.revocations.append(revocation("jti", value))


async def _woken(wake_ups: WakeUps, since: int) -> int:
    async with asyncio.timeout(IN_TIME):
        await wake_ups.wait(LONG, since=since)
    return wake_ups.heard


async def test_a_database_that_cannot_be_asked_wakes_its_readers_again_and_again() -> None:
    """A reader that waits learns by its own look that the database is gone."""

    class Gone:
        async def positions(self) -> Positions:
            raise Unavailable("storage", "gone")

    wake_ups = SqliteWakeUps(Gone())
    first = await _woken(wake_ups, 0)
    assert await _woken(wake_ups, first) > first
    await wake_ups.close()


async def test_the_transaction_itself_notifies_once_and_only_if_it_is_committed(
    storage: PostgresStorage, migrated_postgres_url: str
) -> None:
    with psycopg.connect(migrated_postgres_url, autocommit=True) as listening:
        listening.execute(f"LISTEN {CHANNEL}".encode())
        with pytest.raises(RuntimeError):  # noqa: PT012 - the block is what is tested
            async with storage.write() as work:
                await work.revocations.append(revocation("jti", "undone"))
                await work.positions()
                raise RuntimeError
        async with storage.write() as work:
            await work.set_setting("another", "matter")
        async with storage.write() as work:
            for value in ("a", "b", "c"):
                await work.revocations.append(revocation("jti", value))
        listening.execute(b"SELECT 1")
        assert len(list(listening.notifies(timeout=0))) == 1


async def test_a_listening_connection_that_is_cut_is_made_again(
    storage: PostgresStorage, migrated_postgres_url: str
) -> None:
    wake_ups = PostgresWakeUps(migrated_postgres_url, pause=0.0)
    heard = await _woken(wake_ups, 0)
    with psycopg.connect(migrated_postgres_url, autocommit=True) as operator:
        ended = b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ostiary wake-ups'"
        assert operator.execute(ended).fetchall() == [(True,)]
        heard = await _woken(wake_ups, heard)  # that it is gone
        heard = await _woken(wake_ups, heard)  # that it listens again, or tries to
        while not operator.execute(ended.replace(b"pg_terminate_backend(pid)", b"pid")).fetchall():
            heard = await _woken(wake_ups, heard)
    await _revoke(storage, "afterwards")
    assert await _woken(wake_ups, heard) > heard
    await wake_ups.close()


async def test_a_database_that_went_down_and_came_back_is_listened_to_again() -> None:
    with PostgresServer() as server:
        url = server.fresh_database()
        await asyncio.to_thread(upgrade, url)
        storage, wake_ups = PostgresStorage(url), PostgresWakeUps(url, pause=0.01)
        await storage.open()
        heard = await _woken(wake_ups, 0)
        await asyncio.to_thread(server.crash)
        heard = await _woken(wake_ups, await _woken(wake_ups, heard))
        await asyncio.to_thread(server.start)
        await _revoke(storage, "afterwards")
        async with asyncio.timeout(IN_TIME):
            while (await storage.positions()).revocation != 1:
                heard = await _woken(wake_ups, heard)
        await wake_ups.close()
        await storage.close()


async def test_a_database_that_is_paused_is_given_up_and_its_readers_look_for_themselves(
    migrated_postgres_url: str,
) -> None:
    """It closes no connection and answers nothing: only the heartbeat tells."""
    wake_ups = PostgresWakeUps(migrated_postgres_url, heartbeat=0.1, pause=0.0)
    heard = await _woken(wake_ups, 0)
    with psycopg.connect(migrated_postgres_url, autocommit=True) as operator:
        named = b"SELECT pid FROM pg_stat_activity WHERE application_name = 'ostiary wake-ups'"
        [(pid,)] = operator.execute(named).fetchall()
        os.kill(pid, signal.SIGSTOP)
        try:
            heard = await _woken(wake_ups, await _woken(wake_ups, heard))
        finally:
            os.kill(pid, signal.SIGCONT)
    await wake_ups.close()


async def test_a_commit_neither_fails_nor_waits_while_valkey_is_gone_and_readers_look_for_themselves(
    storage: PostgresStorage,
) -> None:
    with ValkeyServer() as server:
        here = RedisWakeUps(server.url, "here", pause=0.0)
        elsewhere = RedisWakeUps(server.url, "here", pause=0.0)
        storage.after_revocation = elsewhere.announce
        heard = await _woken(here, 0)
        await asyncio.to_thread(server.crash)
        await _revoke(storage, "while it is gone")
        heard = await _woken(here, await _woken(here, heard))
        await asyncio.to_thread(server.start)
        with valkey.Valkey.from_url(server.url) as operator:
            while operator.execute_command("PUBSUB", "NUMSUB", "ostiary:revocations:here")[1] != 1:
                heard = await _woken(here, heard)
        heard = here.heard
        await _revoke(storage, "afterwards")
        assert await _woken(here, heard) > heard
        for one in (here, elsewhere):
            await one.close()


async def test_a_valkey_that_is_paused_is_given_up_and_its_readers_look_for_themselves() -> None:
    with ValkeyServer() as server:
        wake_ups = RedisWakeUps(server.url, "here", heartbeat=0.1, pause=0.0)
        heard = await _woken(wake_ups, 0)
        server.process.send_signal(signal.SIGSTOP)
        heard = await _woken(wake_ups, await _woken(wake_ups, heard))
        server.process.send_signal(signal.SIGCONT)
        assert await _woken(wake_ups, heard) > heard
        await wake_ups.close()


async def test_what_is_announced_just_before_the_end_of_a_command_is_told(valkey_url: str) -> None:
    here, command = RedisWakeUps(valkey_url, "command"), RedisWakeUps(valkey_url, "command")
    heard = await _woken(here, 0)
    command.announce()
    await command.close()
    assert await _woken(here, heard) > heard
    await here.close()


async def test_installations_that_share_a_valkey_do_not_wake_one_another(valkey_url: str) -> None:
    here, other = RedisWakeUps(valkey_url, "mine"), RedisWakeUps(valkey_url, "another")
    heard = await _woken(here, 0)
    other.announce()
    await other.close()
    await here.wait(0.05, since=heard)
    assert here.heard == heard
    await here.close()


async def test_wake_ups_that_are_closed_at_any_moment_of_their_opening_end(valkey_url: str) -> None:
    """The driver sends by ``asyncio.wait_for``, which before Python 3.12 can lose the cancellation."""

    async def opened_and_closed(after_turns: int) -> None:
        wake_ups = RedisWakeUps(valkey_url, "closed early")
        waiting = asyncio.create_task(wake_ups.wait(LONG))
        for _ in range(after_turns):
            await asyncio.sleep(0)
        await wake_ups.close()
        await waiting

    async with asyncio.timeout(IN_TIME):
        await asyncio.gather(*map(opened_and_closed, range(40)))
