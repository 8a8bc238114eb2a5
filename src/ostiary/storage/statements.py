"""SQL written once with SQLAlchemy Core and compiled once to text for each dialect; the drivers run the text."""

from __future__ import annotations

from functools import cached_property

from sqlalchemy import ClauseElement, Table, bindparam, insert, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg


class Statement:
    """One statement for both dialects, with named parameters: ``:x`` for sqlite3, ``%(x)s`` for psycopg.

    core: what both dialects run; ``postgresql``: what PostgreSQL runs instead, where the two must differ.
    """

    def __init__(self, core: ClauseElement, *, postgresql: ClauseElement | None = None) -> None:
        self._core = core
        self._postgresql = core if postgresql is None else postgresql

    @cached_property
    def sqlite(self) -> str:
        """The text for sqlite3, compiled when it is first wanted."""
        return str(self._core.compile(dialect=sqlite.dialect(paramstyle="named")))

    @cached_property
    def postgresql(self) -> str:
        """The text for psycopg, compiled when it is first wanted."""
        return str(self._postgresql.compile(dialect=psycopg.dialect()))


def insertion(table: Table) -> Statement:
    """An INSERT of every column; the parameters bear the columns' names."""
    return Statement(insert(table).values({column: bindparam(column.name) for column in table.columns}))


def lookup(table: Table, columns: tuple[str, ...], *by: str) -> Statement:
    """A SELECT of the columns in this order, where each column of ``by`` equals the parameter of its name."""
    chosen = select(*(table.c[name] for name in columns))
    return Statement(chosen.where(*(table.c[name] == bindparam(name) for name in by)))


def replacement(table: Table, *by: str) -> Statement:
    """An UPDATE of all columns but ``by``, which name the row."""
    change = {column: bindparam(column.name) for column in table.columns if column.name not in by}
    # SQLAlchemy reserves a SET column's own name for its value, so the row is named by ``of_<column>``.
    return Statement(update(table).where(*(table.c[name] == bindparam(f"of_{name}") for name in by)).values(change))
