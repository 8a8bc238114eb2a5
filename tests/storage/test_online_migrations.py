"""A PostgreSQL that is in use gets its indexes while everybody goes on writing, whatever happens to who builds them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ostiary.errors import Unavailable
from ostiary.key_management.key_encryption_key import create_key_encryption_key
from ostiary.storage import migrate
from ostiary.storage.migration_lock import one_at_a_time
from ostiary.storage.migrations.online import Patience
from ostiary.storage.schema import METADATA
from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process
from tests.resource_server.waiting import until
from tests.serving.test_start import CONFIGURATION

BEFORE = "0011"
"""The next one builds indexes of ``clients`` first, and no more than indexes."""
_CLIENT = (
    "INSERT INTO clients (tenant, client_id, name, kind, state, owner, source, authentication_method, grant_types, "
    "scopes, may_register_keys, max_concurrency, grant_id, created_at, updated_at) VALUES ('default', %s, 'Shop', "
    "'client', 'active', '', 'static', 'private_key_jwt', '[]', '{}', false, 8, 'g', 1, 1)"
)
_OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_BUILDING = f"SELECT pid {_OTHERS} AND query LIKE 'CREATE INDEX%%' AND %s::int = ANY (pg_blocking_pids(pid))"
_ASKING = f"SELECT pid {_OTHERS} AND state = 'idle' AND application_name = 'ostiary upgrade' AND query = 'COMMIT'"
_LONG = f"SELECT pid {_OTHERS} AND pid = %s::int AND clock_timestamp() - query_start > interval '0.3 s'"
_INVALID = "SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid WHERE NOT indisvalid ORDER BY relname"
_SHAPE = (
    "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname",
    "SELECT table_name, column_name, ordinal_position, data_type, is_nullable, column_default"
    " FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position",
)

_KEEPALIVES = ("idle", "interval", "count")

Rows = list[tuple[Any, ...]]


def at(url: str, revision: str) -> str:
    """The database as an older release left it, with a client."""
    engine = migrate.engine_of(url)
    with migrate.migrating(engine) as connection:
        migrate.run(connection, revision)
    engine.dispose()
    ask(url, _CLIENT, "shop")
    return url


def ask(url: str, statement: str, *values: str) -> Rows:
    """Run one statement in a transaction of its own, which waits for no lock for long."""
    with psycopg.connect(url, options="-c lock_timeout=2s") as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def older(postgres_url: str) -> str:
    return at(postgres_url, BEFORE)


@contextmanager
def writer(url: str) -> Iterator[psycopg.Connection]:
    """A transaction that has written to ``clients`` and has not ended."""
    with psycopg.connect(url, application_name="forgotten") as connection:
        connection.execute(_CLIENT.encode(), ["old"])
        yield connection
        connection.commit()


@contextmanager
def reader(url: str) -> Iterator[psycopg.Connection]:
    """A transaction that goes on seeing what was there when it began, such as that of a backup."""
    with psycopg.connect(url, application_name="forgotten") as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT count(*) FROM settings")
        yield connection


Other = Callable[[str], Any]


@pytest.fixture(params=[writer, reader])
def other(request: pytest.FixtureRequest) -> Other:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


def until_it_waits(url: str, upgrade: Future[None], other: psycopg.Connection) -> int:
    """The process of PostgreSQL that builds, as soon as it waits for the transaction of ``other``."""
    pid = str(other.info.backend_pid)
    until(lambda: upgrade.done() or ask(url, _BUILDING, pid), "the upgrade waits for the other transaction")
    return int(ask(url, _BUILDING, pid)[0][0])


def whole(url: str) -> bool:
    """Whether it has the schema, every index of it, and none that is half built."""
    names = {row[0] for row in ask(url, "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'")}
    wanted = {index.name for table in METADATA.tables.values() for index in table.indexes}
    return migrate.check(url) is None and wanted <= names and ask(url, _INVALID) == []


def test_everybody_goes_on_writing_while_an_index_is_built(
    older: str, other: Other, threads: ThreadPoolExecutor
) -> None:
    with other(older) as connection:
        upgrade = threads.submit(migrate.upgrade, older)
        until_it_waits(older, upgrade, connection)
        ask(older, _CLIENT, "meanwhile")
        ask(older, "UPDATE clients SET name = 'Shop 2' WHERE client_id = %s", "shop")
        assert not upgrade.done()
    upgrade.result()
    assert whole(older)
    with psycopg.connect(older) as connection:
        connection.execute("SET enable_seqscan = off")
        rows = connection.execute("SELECT client_id FROM clients WHERE tenant = 'default' AND source = 'static'")
        assert {"shop", "meanwhile"} <= {row[0] for row in rows}


def test_a_build_that_was_interrupted_is_done_anew(older: str, other: Other, threads: ThreadPoolExecutor) -> None:
    with other(older) as connection:
        upgrade = threads.submit(migrate.upgrade, older)
        ask(older, "SELECT pg_terminate_backend(%s::int)", str(until_it_waits(older, upgrade, connection)))
        with pytest.raises(Unavailable):
            upgrade.result()
    assert ask(older, _INVALID) == [("clients_static",)]
    assert migrate.current(older) == BEFORE
    migrate.upgrade(older)
    assert whole(older)


def test_indexes_that_were_finished_before_an_interruption_are_kept(older: str, threads: ThreadPoolExecutor) -> None:
    oid = "SELECT 'clients_static'::regclass::oid"
    with psycopg.connect(older) as grants:
        grants.execute("LOCK TABLE grants IN ROW EXCLUSIVE MODE")
        upgrade = threads.submit(migrate.upgrade, older)
        builder = until_it_waits(older, upgrade, grants)
        before = ask(older, oid)
        ask(older, "SELECT pg_terminate_backend(%s::int)", str(builder))
        with pytest.raises(Unavailable):
            upgrade.result()
    migrate.upgrade(older)
    assert ask(older, oid) == before
    assert whole(older)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_node_that_is_ended_while_it_builds_an_index_ends_and_the_next_one_finishes(
    older: str, tmp_path: Path, number: signal.Signals
) -> None:
    create_key_encryption_key(tmp_path / "kek")
    settings = CONFIGURATION.format(port=free_port(), management=free_port())
    (tmp_path / "ostiary.toml").write_text(f'{settings}\n[storage]\nurl = "{older}"\n')
    with writer(older) as connection, Process([sys.executable, "-m", "ostiary", "serve"], cwd=tmp_path) as node:
        pid = str(connection.info.backend_pid)
        until(lambda: ask(older, _BUILDING, pid) or not node.is_alive(), "the node builds")
        node.send_signal(number)
        assert node.wait() != 0
    migrate.upgrade(older)
    assert whole(older)


def test_two_nodes_that_start_at_once_both_find_the_schema_upgraded(
    older: str, other: Other, threads: ThreadPoolExecutor
) -> None:
    """Had the second one waited in a transaction, the build would wait for it: a deadlock."""
    with other(older) as connection:
        nodes = [threads.submit(migrate.upgrade, older) for _ in range(2)]
        until_it_waits(older, nodes[0], connection)
        until(lambda: ask(older, _ASKING), "the second node asks whether it is its turn")
    for node in nodes:
        node.result()
    assert whole(older)


def test_a_build_that_another_transaction_holds_up_gives_up_and_says_how_to_go_on(older: str, other: Other) -> None:
    with other(older) as connection:
        with pytest.raises(Unavailable, match=r"\(forgotten, idle in transaction\)") as raised:
            migrate.upgrade(older, Patience(build=0.02))
        assert f"end it by SELECT pg_terminate_backend({connection.info.backend_pid})" in raised.value.mend
        assert migrate.current(older) == BEFORE
    migrate.upgrade(older)
    assert whole(older)


def test_a_change_of_a_table_that_another_transaction_holds_gives_up_before_others_queue_behind_it(
    postgres_url: str,
) -> None:
    at(postgres_url, "0009")
    with psycopg.connect(postgres_url, application_name="forgotten") as connection:
        connection.execute("SELECT count(*) FROM apis")
        with pytest.raises(Unavailable, match="forgotten"):
            migrate.upgrade(postgres_url, Patience(strong=0.02))
        assert ask(postgres_url, "SELECT count(*) FROM apis") == [(0,)]
        assert migrate.current(postgres_url) == "0009"
    migrate.upgrade(postgres_url)
    assert whole(postgres_url)


def test_who_may_not_see_the_other_transaction_is_told_who_may(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as superuser:
        superuser.execute("CREATE ROLE plain LOGIN")
        superuser.execute("GRANT ALL ON SCHEMA public TO plain")
        try:
            plain = at(postgres_url.replace("//postgres@", "//plain@"), "0009")
            with superuser.transaction():
                superuser.execute("SELECT count(*) FROM apis")
                with pytest.raises(Unavailable, match="shows to a superuser") as raised:
                    migrate.upgrade(plain, Patience(strong=0.02))
            assert "wait until it has ended, or end it, and start again" in raised.value.mend
        finally:
            superuser.execute("DROP OWNED BY plain")
            superuser.execute("DROP ROLE plain")


def test_a_node_that_vanishes_during_an_upgrade_is_missed_in_seconds(postgres_url: str) -> None:
    """The lock is the session's, and PostgreSQL looks for two hours before it ends one that has gone silent."""
    engine = migrate.engine_of(postgres_url)
    with one_at_a_time(engine) as connection:
        waits = [connection.exec_driver_sql(f"SHOW tcp_keepalives_{name}").scalar() for name in _KEEPALIVES]
    assert waits == ["5", "2", "3"]
    engine.dispose()


def test_an_index_takes_as_long_as_it_takes_whatever_limit_statements_have(
    older: str, threads: ThreadPoolExecutor
) -> None:
    name = older.rpartition("/")[2]
    ask(older, f'ALTER DATABASE "{name}" SET statement_timeout = 200')
    with writer(older) as connection:
        upgrade = threads.submit(migrate.upgrade, older)
        builder = str(until_it_waits(older, upgrade, connection))
        until(lambda: upgrade.done() or ask(older, _LONG, builder), "the build takes longer than statements may")
        assert not upgrade.done()
    upgrade.result()
    assert whole(older)


def test_an_upgraded_database_has_the_schema_of_a_new_one(postgres_url: str, migrated_postgres_url: str) -> None:
    at(postgres_url, "0001")
    migrate.upgrade(postgres_url)
    for query in _SHAPE:
        assert ask(postgres_url, query) == ask(migrated_postgres_url, query)
    assert whole(postgres_url)
