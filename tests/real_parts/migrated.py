"""Databases as the migrations leave them: a SQLite file, copied for each test, and one of PostgreSQL, emptied for each.

The migrations take a tenth of a second or more, and a new database takes PostgreSQL some hundred files; to copy a small
file or to empty the tables takes some milliseconds.
"""

import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from ostiary.storage.migrate import upgrade
from tests.real_parts.postgres import PostgresServer

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
_STRANGERS = (
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)
# Whatever a test could have made, taken away or altered beside the rows.
_SHAPE: tuple[LiteralString, ...] = (
    "SELECT oid, relname, relkind::text, relpersistence::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    " ORDER BY oid",
    "SELECT attrelid, attname, atttypid, atttypmod, attnotnull, atthasdef, attisdropped FROM pg_attribute"
    " JOIN pg_class ON attrelid = pg_class.oid WHERE relnamespace = 'public'::regnamespace ORDER BY attrelid, attnum",
    "SELECT oid, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY oid",
    "SELECT oid, tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY oid",
    "SELECT setconfig FROM pg_db_role_setting ORDER BY setconfig",
    "SELECT oid, proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY oid",
)

Connection = psycopg.Connection[tuple[Any, ...]]


def put_migrated(path: Path) -> None:
    """Put a SQLite file with the tables of the server at ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(_migrated_file(), path)


@cache
def _migrated_file() -> Path:
    path = Path(mkdtemp(prefix="ostiary-test-")) / "template.db"
    upgrade(f"sqlite:///{path}")
    return path


class MigratedDatabase:
    """On a server that others use, too."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._make()

    def fresh(self) -> str:
        """The address of the database, as the migrations left it; whoever is still connected is cut off."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(_STRANGERS)
            same = self._shape_of(connection) == self._shape
            if same:
                self._empty(connection)
                connection.execute("SELECT pg_stat_reset()")
        if not same:
            self.drop()
            self._make()
        return self._url

    def drop(self) -> None:
        """Take the database away."""
        self._server.drop_database(self._url)

    def _make(self) -> None:
        self._url = self._server.fresh_database()
        upgrade(self._url)
        with psycopg.connect(self._url, autocommit=True) as connection:
            self._tables = [str(name) for (name,) in connection.execute(_TABLES)]
            self._rows = {name: _rows(connection, name) for name in self._tables}
            self._shape = self._shape_of(connection)

    @staticmethod
    def _shape_of(connection: Connection) -> list[list[tuple[Any, ...]]]:
        return [connection.execute(query).fetchall() for query in _SHAPE]

    def _empty(self, connection: Connection) -> None:
        with connection.transaction():
            # Whatever order rows refer to each other in.
            connection.execute("SET LOCAL session_replication_role = replica")
            deletions = [sql.SQL("DELETE FROM {}").format(sql.Identifier(name)) for name in self._tables]
            connection.execute(sql.SQL("; ").join(deletions))
            for name, rows in self._rows.items():
                for row in rows:
                    places = sql.SQL(", ").join([sql.Placeholder()] * len(row))
                    insertion = sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(name), places)
                    connection.execute(insertion, row)


def _rows(connection: Connection, table: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))).fetchall()
