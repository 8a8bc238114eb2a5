"""A copy's view of one PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from ostiary.backup.databases import View
from ostiary.backup.shape import Row, Shape
from ostiary.errors import ConfigurationError, Unavailable

_AT_ONCE = 5000
_LOOKS = 10
# A pool of a server always has a connection, and so has who waits for its notifications.
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user"
    " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


class PostgresDatabase:
    """``backup.databases.Database`` over ``postgresql://...``."""

    def __init__(self, url: str) -> None:
        self._url = url

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection]:
        try:
            with psycopg.connect(self._url, autocommit=True, connect_timeout=5) as connection:
                yield connection
        except psycopg.DataError as error:
            raise ConfigurationError(f"A row does not fit into PostgreSQL: {error.diag.message_primary}.") from error
        except psycopg.Error as error:
            raise Unavailable("storage", f"{type(error).__name__} {error.sqlstate or ''}".strip()) from error

    @contextmanager
    def view(self) -> Iterator[View]:
        """A reading transaction that sees one state (REPEATABLE READ) and holds up nobody."""
        with self._connected() as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield _View(connection)

    @contextmanager
    def still(self) -> Iterator[View]:
        """Nothing is locked: whoever else is connected in the same name is taken for a server."""
        if self.in_use():
            raise ConfigurationError("The database is being served: stop every `ostiary serve` on it first.")
        with self.view() as view:
            yield view

    def fill(self, shape: Shape, rows: Iterable[Row]) -> None:
        columns = sql.SQL(", ").join(map(sql.Identifier, shape.names))
        copying = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(shape.name), columns)
        flags = [place for place, (_, kind) in enumerate(shape.columns) if kind == "flag"]
        with self._connected() as connection, connection.cursor() as cursor, cursor.copy(copying) as copy:
            for row in rows:
                copy.write_row(_with_flags(row, flags) if flags else row)

    def in_use(self) -> bool:
        with self._connected() as connection:
            for _ in range(_LOOKS):
                row = connection.execute(_OTHERS).fetchone()
                if row is not None and row[0] == 0:
                    return False
                # A connection of our own that was closed a moment ago may still be listed; a server's stays.
                connection.execute("SELECT pg_sleep(0.2)")
            return True


class _View:
    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def rows(self, shape: Shape, condition: str = "") -> Iterator[Row]:
        columns = sql.SQL(", ").join(map(sql.Identifier, shape.names))
        where = sql.SQL(f" WHERE {condition}" if condition else "")
        query = sql.SQL("SELECT {} FROM {}").format(columns, sql.Identifier(shape.name))
        with self._connection.cursor(name="ostiary_copy") as cursor:
            cursor.itersize = _AT_ONCE
            yield from cursor.execute(query + where)


def _with_flags(row: Row, flags: list[int]) -> list[object]:
    values = list(row)
    for place in flags:
        values[place] = bool(values[place])
    return values
