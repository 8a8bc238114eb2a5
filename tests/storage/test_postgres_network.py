"""A network that fails between a node and PostgreSQL, or a clock that is wrong: refusals in time, no admissions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from ostiary.errors import Unavailable
from ostiary.storage.base import Unanswered
from ostiary.storage.node_clock import MAX_OFFSET
from ostiary.storage.postgres import PostgresStorage
from tests.contract.storage.examples import token
from tests.real_parts.tcp_proxy import TcpProxy

pytestmark = pytest.mark.anyio


@pytest.fixture
def network(migrated_postgres_url: str) -> Iterator[TcpProxy]:
    """What every connection to the database passes."""
    with TcpProxy(urlsplit(migrated_postgres_url).port or 0) as proxy:
        yield proxy


def through(network: TcpProxy, url: str, **settings: float) -> PostgresStorage:
    parts = urlsplit(url)
    there = parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{network.port}"))
    return PostgresStorage(there.geturl(), pool_size=3, patience=0.2, deadline=settings.get("deadline", 0.3))


async def test_a_database_that_falls_silent_refuses_in_time_and_serves_again_afterwards(
    network: TcpProxy, migrated_postgres_url: str
) -> None:
    storage = through(network, migrated_postgres_url)
    await storage.open()
    await storage.positions()
    network.silent()
    for ask in (_write, _write_briefly, _read, PostgresStorage.positions, _expire):
        with pytest.raises(Unavailable):
            await ask(storage)
    network.fair()
    # What fell silent on its way may arrive now: whether it was committed, whoever was refused does not know.
    await _write(storage, "afterwards")
    await storage.close()


async def test_whoever_waits_for_a_silent_database_is_refused_with_the_others_and_not_one_after_the_other(
    network: TcpProxy, migrated_postgres_url: str
) -> None:
    storage = through(network, migrated_postgres_url, deadline=1.0)
    await storage.open()
    await storage.positions()
    network.silent()
    first = asyncio.ensure_future(storage.positions())
    await asyncio.sleep(0)
    asked: list[asyncio.Future[object]] = [asyncio.ensure_future(storage.positions()) for _ in range(20)]
    outcomes = await asyncio.gather(first, *asked, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unanswered}
    assert storage.asked <= 3
    await storage.close()


async def test_connections_that_were_reset_are_replaced(network: TcpProxy, migrated_postgres_url: str) -> None:
    storage = through(network, migrated_postgres_url, deadline=5.0)
    await storage.open()
    await _write(storage)
    network.reset()
    await _write(storage, "second")
    await storage.close()


@pytest.mark.parametrize(
    ("ahead", "words"), [(MAX_OFFSET + 290, "ahead of"), (-MAX_OFFSET - 290, "behind")], ids=["ahead", "behind"]
)
async def test_a_node_whose_clock_is_wrong_refuses_and_says_by_how_much(
    migrated_postgres_url: str, ahead: float, words: str
) -> None:
    storage = PostgresStorage(migrated_postgres_url, clock=lambda: time.time() + ahead)
    await storage.open()
    with pytest.raises(Unavailable, match=f"300 s {words} the database's"):
        await storage.positions()
    await storage.close()


async def test_a_node_whose_clock_is_wrong_deletes_no_mark_of_a_proof_that_is_still_good(
    migrated_postgres_url: str,
) -> None:
    right, ahead = (
        PostgresStorage(migrated_postgres_url),
        PostgresStorage(migrated_postgres_url, clock=lambda: time.time() + 300),
    )
    await right.open()
    await ahead.open()
    now = int(time.time())
    async with right.write() as work:
        assert await work.replay.mark("client", "used", expires_at=now + 60, now=now)
    with pytest.raises(Unavailable, match="ahead of the database's"):
        await ahead.expire(now + 300)
    async with right.write() as work:
        assert not await work.replay.mark("client", "used", expires_at=now + 60, now=now)
    for storage in (right, ahead):
        await storage.close()


async def test_a_small_difference_of_the_clocks_is_borne(migrated_postgres_url: str) -> None:
    storage = PostgresStorage(migrated_postgres_url, clock=lambda: time.time() + MAX_OFFSET / 2)
    await storage.open()
    await storage.positions()
    await storage.close()


async def _write(storage: PostgresStorage, name: str = "first") -> None:
    async with storage.write() as work:
        await work.tokens.add(token(name))


async def _write_briefly(storage: PostgresStorage) -> None:
    async with storage.write(brief=True) as work:
        await work.tokens.add(token("brief"))


async def _read(storage: PostgresStorage) -> None:
    async with storage.read() as work:
        await work.tokens.by_jti("first")


async def _expire(storage: PostgresStorage) -> None:
    await storage.expire(0)


async def test_a_unit_of_work_that_takes_too_long_changes_nothing(
    network: TcpProxy, migrated_postgres_url: str
) -> None:
    storage = through(network, migrated_postgres_url)
    await storage.open()

    async def write_late() -> None:
        async with storage.write() as work:
            await asyncio.sleep(0.35)
            await work.tokens.add(token("late"))

    with pytest.raises(Unanswered, match=r"did not answer within 0\.3 s"):
        await write_late()
    async with storage.read() as work:
        assert await work.tokens.by_jti("late") is None
    await storage.close()
