"""While nodes are upgraded one by one, those of the release before go on beside the new schema."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy
from alembic.script import ScriptDirectory

from ostiary.errors import ConfigurationError
from ostiary.storage import migrate
from ostiary.storage.open import storage_for
from tests.contract.storage.examples import client, event

pytestmark = pytest.mark.anyio

LATER = (
    "ALTER TABLE clients ADD COLUMN later TEXT",
    "ALTER TABLE audit_events ADD COLUMN later TEXT NOT NULL DEFAULT ''",
    "CREATE TABLE later (tenant TEXT PRIMARY KEY)",
    "CREATE INDEX later_by_tenant ON later (tenant)",
    "UPDATE alembic_version SET version_num = '9999'",
)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ostiary.db'}"
    return str(request.getfixturevalue("postgres_url"))


def _migrate_further(url: str) -> None:
    """What a migration of a later release may do."""
    if url.startswith("sqlite"):
        with sqlite3.connect(migrate.sqlite_path(url)) as connection:
            for statement in LATER:
                connection.execute(statement)
        return
    with psycopg.connect(url) as postgres:
        for statement in LATER:
            postgres.execute(statement.encode())


async def test_a_node_that_runs_goes_on_beside_a_later_schema_and_none_starts(url: str) -> None:
    migrate.upgrade(url)
    storage = storage_for(url)
    await storage.open()
    try:
        for client_id in ("before", "after"):
            async with storage.write() as work:
                await work.clients.add(client(client_id, grant_id=client_id))
                await work.audit.append(event(client_id))
            async with storage.read() as work:
                assert await work.clients.get(client_id) == client(client_id, grant_id=client_id)
                assert [row.target for row in await work.audit.query()][-1] == client_id
            if client_id == "before":
                _migrate_further(url)
    finally:
        await storage.close()
    with pytest.raises(ConfigurationError, match="newer"):
        await storage_for(url).open()


def _columns(connection: sqlalchemy.Connection) -> dict[str, dict[str, Any]]:
    inspector = sqlalchemy.inspect(connection)
    names = set(inspector.get_table_names()) - {"alembic_version"}
    return {name: {column["name"]: column for column in inspector.get_columns(name)} for name in names}


def test_every_migration_only_adds_what_nodes_of_the_release_before_need_not_know(tmp_path: Path) -> None:
    """Tables and columns stay as they are, and a new column may be left out of an INSERT."""
    folder = Path(migrate.__file__).with_name("migrations")
    revisions = [one.revision for one in ScriptDirectory(str(folder)).walk_revisions()][::-1]
    engine = migrate.engine_of(f"sqlite:///{tmp_path / 'db'}")
    before: dict[str, dict[str, Any]] = {}
    for revision in revisions:
        with migrate.migrating(engine) as connection:
            migrate.run(connection, revision)
            after = _columns(connection)
        for table, columns in before.items():
            for name, column in columns.items():
                assert str(after[table][name]["type"]) == str(column["type"]), (revision, table, name)
                assert after[table][name]["nullable"] == column["nullable"], (revision, table, name)
            for name in set(after[table]) - set(columns):
                added = after[table][name]
                assert added["nullable"] or added["default"] is not None, (revision, table, name)
        before = after
    engine.dispose()
