"""Fills tables in bulk: ``executemany`` on SQLite, COPY on PostgreSQL, and the indexes made anew afterwards."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Table

from ostiary.storage.migrate import POSTGRES, sqlite_path

_AT_ONCE = 10_000
_TOLD_EACH = 5.0


@dataclass(frozen=True, slots=True)
class Rows:
    """What goes into a table: its columns in the order of the values, and how many rows there will be."""

    table: str
    columns: Sequence[str]
    count: int
    rows: Iterable[Sequence[Any]]

    @classmethod
    def of(cls, table: Table, count: int, rows: Iterable[dict[str, Any]]) -> Rows:
        """The same of rows by name."""
        columns = [column.name for column in table.columns]
        return cls(table.name, columns, count, ([row[name] for name in columns] for row in rows))


def fill(url: str, tables: Sequence[Rows]) -> None:
    """Add everything. Nothing is safe from a crash until the end; the next server makes it so."""
    if url.startswith(POSTGRES):
        _fill_postgres(url, tables)
    else:
        _fill_sqlite(url, tables)


def _fill_sqlite(url: str, tables: Sequence[Rows]) -> None:
    connection = sqlite3.connect(sqlite_path(url), isolation_level=None)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-262144"):
        connection.execute(f"PRAGMA {pragma}")
    for one in tables:
        made = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL"
        indexes = connection.execute(made, [one.table]).fetchall()
        for name, _ in indexes:
            connection.execute(f'DROP INDEX "{name}"')
        columns, places = ", ".join(f'"{name}"' for name in one.columns), ", ".join("?" * len(one.columns))
        insert = f'INSERT INTO "{one.table}" ({columns}) VALUES ({places})'  # noqa: S608 - of our own schema
        rest = _told(one)
        while some := list(islice(rest, _AT_ONCE)):
            connection.execute("BEGIN")
            connection.executemany(insert, some)
            connection.execute("COMMIT")
        for _, text in indexes:
            connection.execute(text)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()


def _fill_postgres(url: str, tables: Sequence[Rows]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for one in tables:
            made = (
                "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND schemaname = current_schema()"
                " AND indexname NOT IN (SELECT conname FROM pg_constraint)"
            )
            indexes = connection.execute(made, [one.table]).fetchall()
            for name, _ in indexes:
                connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
            columns = sql.SQL(", ").join(map(sql.Identifier, one.columns))
            copying = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(one.table), columns)
            with connection.cursor() as cursor, cursor.copy(copying) as copy:
                for row in _told(one):
                    copy.write_row(row)
            for _, text in indexes:
                connection.execute(text.encode())
            # What autovacuum does in the course of time.
            connection.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(one.table)))


def _told(one: Rows) -> Iterator[Sequence[Any]]:
    """The rows; how far it is, is told on standard error now and then."""
    told = time.monotonic()
    for number, row in enumerate(one.rows):
        if number % _AT_ONCE == 0 and time.monotonic() - told > _TOLD_EACH:
            told = time.monotonic()
            print(f"          {one.table}: {number:,} of {one.count:,} rows", file=sys.stderr, flush=True)
        yield row
