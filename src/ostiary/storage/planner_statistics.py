"""What SQLite's planner is told of the tables: they are large, and a tenant has all of a table's rows.

Without statistics it takes any column for a selective one, the tenant too, which stands first in each primary key; so
it may read a whole table in its order, rather than look into the index of what is asked for. An index of some rows has
few, else it would not be one: whoever asks for those alone shall read it. Statistics of an empty
database would say no better, and nobody gathers them later: these are written once, with the schema.
Source: https://sqlite.org/fileformat2.html#the_sqlite_stat1_table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlalchemy import Connection

_ROWS: Final = 1_000_000
_SOME_ROWS: Final = 1_000
_OF_ONE: Final = 100
"""What hangs on one client, user, session or order; each further column leaves a tenth. The order of magnitude is all
that it takes."""


def write(connection: Connection) -> None:
    """Write them for every table that is there; a connection that is opened afterwards reads them."""
    connection.exec_driver_sql("ANALYZE alembic_version")  # makes the table of statistics, without looking at any rows
    connection.exec_driver_sql("DELETE FROM sqlite_stat1")
    tables = [str(row[0]) for row in connection.exec_driver_sql("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    for table in tables:
        for index, numbers in _indexes(connection, table):
            connection.exec_driver_sql("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", (table, index, numbers))


def _indexes(connection: Connection, table: str) -> Iterator[tuple[str, str]]:
    for _, name, unique, origin, partial in connection.exec_driver_sql(f'PRAGMA index_list("{table}")').fetchall():
        rows = connection.exec_driver_sql(f'PRAGMA index_info("{name}")').fetchall()
        # The primary key of a table without rowid is the table itself.
        yield (
            (table if origin == "pk" else str(name)),
            _numbers([row[2] for row in rows], _SOME_ROWS if partial else _ROWS, unique=bool(unique)),
        )


def _numbers(columns: Sequence[str | None], rows: int, *, unique: bool) -> str:
    """The rows of the index, then how many of them have the same values in the first column, the first two, ..."""
    left, numbers = rows, [rows]
    for column in columns:
        if column != "tenant":
            left = min(_OF_ONE, max(1, left // 10))
        numbers.append(left)
    if unique:
        numbers[-1] = 1
    return " ".join(map(str, numbers))
