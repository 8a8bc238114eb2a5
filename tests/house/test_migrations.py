"""How a migration may add an index to a table that is in use: by ``ostiary.storage.migrations.online``."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from alembic.script import ScriptDirectory
from sqlalchemy import event

from ostiary.storage import migrate
from ostiary.storage.migrations.online import Patience

_INDEX = re.compile(r"\s*CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY)(?:IF NOT EXISTS )?\S* ?ON (?:ONLY )?\"?(\w+)", re.I)
_CONSTRAINT = re.compile(r"\s*ALTER TABLE (?:ONLY )?\"?(\w+)\"? .*\b(?:UNIQUE|PRIMARY KEY|EXCLUDE)\b", re.I | re.S)
_ONLINE = re.compile(r"\s*CREATE (?:UNIQUE )?INDEX CONCURRENTLY")


def building_under_a_lock(statements: Iterable[str], tables: set[str]) -> list[str]:
    """Those of the statements that keep everybody from writing to one of ``tables`` while they build an index."""
    found = [(_INDEX.match(one) or _CONSTRAINT.match(one), one) for one in statements]
    return [one for match, one in found if match and match[1].lower() in tables]


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        ("CREATE INDEX a ON clients (name)", True),
        ('create unique index if not exists "a" on "clients" (name)', True),
        ("CREATE INDEX ON clients (name)", True),
        ("ALTER TABLE clients ADD CONSTRAINT a UNIQUE (name)", True),
        ("ALTER TABLE clients ADD COLUMN a text UNIQUE", True),
        ("CREATE INDEX CONCURRENTLY a ON clients (name)", False),
        ("CREATE UNIQUE INDEX CONCURRENTLY a ON clients (name)", False),
        ("CREATE INDEX a ON created_just_now (name)", False),
        ("ALTER TABLE clients ADD COLUMN a text", False),
    ],
)
def test_a_statement_that_keeps_writers_waiting_is_known(statement: str, refused: bool) -> None:
    assert building_under_a_lock([statement], {"clients"}) == ([statement] if refused else [])


@contextmanager
def _heard(engine: sqlalchemy.Engine) -> Iterator[list[str]]:
    statements: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", hear)
    yield statements
    event.remove(engine, "before_cursor_execute", hear)


def _run(engine: sqlalchemy.Engine, revision: str) -> None:
    with engine.connect() as connection:
        migrate.run(connection, revision, patience=Patience())


def test_no_migration_keeps_writers_waiting_for_an_index_and_each_can_be_run_again(postgres_url: str) -> None:
    """One that builds an index online commits before it has its number, so it may have to begin again."""
    folder = Path(migrate.__file__).with_name("migrations")
    scripts = [*ScriptDirectory(str(folder)).walk_revisions()][::-1]
    engine = migrate.engine_of(postgres_url)
    for script in scripts:
        tables = set(sqlalchemy.inspect(engine).get_table_names())
        with _heard(engine) as statements:
            _run(engine, script.revision)
        assert building_under_a_lock(statements, tables) == [], script.revision
        if any(_ONLINE.match(one) for one in statements):
            with engine.begin() as connection:
                connection.exec_driver_sql("UPDATE alembic_version SET version_num = %s", (script.down_revision,))
            _run(engine, script.revision)
    engine.dispose()
    assert migrate.check(postgres_url) is None
