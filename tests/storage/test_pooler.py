"""Before PostgreSQL may stand a pooler that keeps sessions; one that lends connections is found out at the start."""

from __future__ import annotations

import pytest

from ostiary.errors import ConfigurationError, Unavailable
from ostiary.storage.filling import begin_filling
from ostiary.storage.migrate import HEAD, current, upgrade
from ostiary.storage.pooler import check_sessions
from ostiary.storage.postgres import PostgresStorage
from tests.contract.storage.examples import NOW, event, token
from tests.real_parts.pgbouncer import PgBouncer
from tests.real_parts.postgres import PostgresServer

pytestmark = pytest.mark.anyio


async def test_a_connection_to_postgresql_itself_is_a_session(postgres_url: str) -> None:
    assert await check_sessions(postgres_url) is None


async def test_a_pooler_that_keeps_sessions_serves(postgres_server: PostgresServer, migrated_postgres_url: str) -> None:
    with PgBouncer(postgres_server, "session") as pooler:
        storage = PostgresStorage(pooler.before(migrated_postgres_url), pool_size=3)
        await storage.open()
        for number in range(10):  # more than it takes until the driver prepares its statements
            async with storage.write() as work:
                await work.tokens.add(token(f"{number}"))
                await work.audit.append(event(f"{number}"))
        async with storage.read() as work:
            assert len(await work.tokens.of_client("billing", now=NOW)) == 10
        await storage.close()


@pytest.mark.parametrize(
    ("mode", "size", "round_robin"),
    [("transaction", 20, False), ("transaction", 20, True), ("transaction", 1, False), ("statement", 20, False)],
    ids=["last first", "in turn", "only one", "for a statement"],
)
async def test_a_pooler_that_lends_connections_is_refused_with_the_mend(
    postgres_server: PostgresServer, migrated_postgres_url: str, mode: str, size: int, round_robin: bool
) -> None:
    with PgBouncer(postgres_server, mode, size=size, round_robin=round_robin) as pooler:
        storage = PostgresStorage(pooler.before(migrated_postgres_url))
        with pytest.raises(ConfigurationError, match="set pool_mode = session"):
            await storage.open()


async def test_no_schema_is_made_or_upgraded_by_a_connection_that_is_lent(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    """The lock that lets one upgrade at a time would stay behind in the pooler, and hold up the next one."""
    with PgBouncer(postgres_server, "transaction") as pooler:
        for make in (upgrade, lambda url: begin_filling(url, "restore")):
            with pytest.raises(ConfigurationError, match="set pool_mode = session"):
                make(pooler.before(postgres_url))
    assert current(postgres_url) is None


async def test_a_pooler_that_keeps_sessions_lets_two_upgrade_one_after_the_other(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    with PgBouncer(postgres_server, "session") as pooler:
        begin_filling(pooler.before(postgres_url), "restore", schema="0011")
        upgrade(pooler.before(postgres_url))
    assert current(postgres_url) == HEAD


async def test_a_pooler_with_no_connection_left_is_a_fault_and_not_waited_for(
    postgres_server: PostgresServer, migrated_postgres_url: str
) -> None:
    with PgBouncer(postgres_server, "session", size=1) as pooler, pytest.raises(Unavailable, match="too few"):
        await check_sessions(pooler.before(migrated_postgres_url), patience=0.5)
