"""Migrations: from nothing to the schema, safe beside others, and a clear sentence when a database does not fit."""

from __future__ import annotations

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from ostiary.errors import ConfigurationError, Unavailable
from ostiary.model.mutual_tls import MutualTls
from ostiary.storage import migrate
from ostiary.storage.open import storage_for
from ostiary.storage.schema import METADATA

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new folder' / 'ostiary.db'}"
    return str(request.getfixturevalue("postgres_url"))


def _query(url: str, sql: str) -> list[Any]:
    if url.startswith("sqlite"):
        with sqlite3.connect(migrate.sqlite_path(url)) as connection:
            return connection.execute(sql).fetchall()
    with psycopg.connect(url) as postgres:
        return postgres.execute(sql.encode()).fetchall()


async def test_from_nothing_to_the_schema_and_again(empty: str) -> None:
    assert "no Ostiary schema" in (migrate.check(empty) or "")
    migrate.upgrade(empty)
    assert migrate.check(empty) is None
    first = _query(empty, "SELECT value FROM settings WHERE name = 'installation_id'")
    migrate.upgrade(empty)
    assert _query(empty, "SELECT value FROM settings WHERE name = 'installation_id'") == first
    assert first[0][0].isalnum()
    assert len(first[0][0]) == 6


async def test_several_processes_may_upgrade_at_once(empty: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(migrate.upgrade, [empty] * 4))
    assert migrate.check(empty) is None
    assert len(_query(empty, "SELECT value FROM settings")) == 1


async def test_the_migrations_make_what_the_schema_says(empty: str) -> None:
    migrate.upgrade(empty)
    address = empty.replace("postgresql://", "postgresql+psycopg://")
    engine = sqlalchemy.create_engine(address)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, METADATA)
    engine.dispose()
    # The unique index over replay marks exists on PostgreSQL alone.
    if empty.startswith("sqlite"):
        differences = [change for change in differences if change[1].name != "replay_marks_once"]
    assert differences == []


def test_the_version_that_is_checked_is_the_last_migration() -> None:
    folder = Path(migrate.__file__).with_name("migrations")
    assert ScriptDirectory(str(folder)).get_current_head() == migrate.HEAD


@pytest.mark.parametrize(("found", "sentence"), [("0000", "upgrade it"), ("9999", "install the newer version")])
async def test_a_schema_that_does_not_fit_is_named_with_its_mend(empty: str, found: str, sentence: str) -> None:
    migrate.upgrade(empty)
    if empty.startswith("sqlite"):
        with sqlite3.connect(migrate.sqlite_path(empty)) as connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", (found,))
    else:
        with psycopg.connect(empty) as postgres:
            postgres.execute("UPDATE alembic_version SET version_num = %s", (found,))
    assert sentence in (migrate.check(empty) or "")
    with pytest.raises(ConfigurationError, match=sentence):
        await storage_for(empty).open()


async def test_a_newer_schema_is_not_upgraded(empty: str) -> None:
    migrate.upgrade(empty)
    if empty.startswith("sqlite"):
        with sqlite3.connect(migrate.sqlite_path(empty)) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
    else:
        with psycopg.connect(empty) as postgres:
            postgres.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigurationError, match="newer"):
        migrate.upgrade(empty)


def test_the_file_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    migrate.upgrade(f"sqlite:///{tmp_path / 'ostiary.db'}")
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ostiary.db"
    path.write_bytes(b"this is a text file, and not a short one" * 100)
    with pytest.raises(ConfigurationError, match="not an SQLite database"):
        migrate.check(f"sqlite:///{path}")


@pytest.mark.parametrize("url", ["", "mysql://x/y", "sqlite://", "sqlite:///", "sqlite:///:memory:", "/var/x.db"])
def test_another_url_is_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"storage\.url must be"):
        storage_for(url)


def test_a_database_that_does_not_answer_is_unavailable_and_its_password_is_not_told(unused_port: int) -> None:
    with pytest.raises(Unavailable) as raised:
        migrate.check(f"postgresql://me:secret@127.0.0.1:{unused_port}/x")
    assert "secret" not in str(raised.value)


_OLD_CLIENT = (
    "INSERT INTO clients (tenant, client_id, name, kind, state, owner, source, authentication_method, grant_types, "
    "scopes, may_register_keys, max_concurrency, grant_id, created_at, updated_at) VALUES ('default', 'old', 'Old', "
    "'client', 'active', '', 'registered', 'private_key_jwt', '[]', '{}', false, 8, 'g1', 1, 1)"
)


async def test_a_client_of_the_schema_before_mutual_tls_is_read_as_one_without_it(empty: str) -> None:
    address = empty.replace("postgresql://", "postgresql+psycopg://")
    if empty.startswith("sqlite"):
        Path(migrate.sqlite_path(empty)).parent.mkdir()
    engine = sqlalchemy.create_engine(address)
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).with_name("migrations")))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        connection.execute(sqlalchemy.text(_OLD_CLIENT))
    engine.dispose()
    migrate.upgrade(empty)
    storage = storage_for(empty)
    await storage.open()
    async with storage.read() as work:
        found = await work.clients.get("old")
    await storage.close()
    assert found is not None
    assert found.mutual_tls == MutualTls()
