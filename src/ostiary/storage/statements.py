"""SQL written once with SQLAlchemy Core and compiled once to text for each dialect; the drivers run the text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    BindParameter,
    ClauseElement,
    ColumnElement,
    Compiled,
    SelectBase,
    Table,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

# Each value is named with its type, so that the server need not guess it from how it is written.
_POSTGRESQL = psycopg.PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


class Statement:
    """One statement for both dialects, with named parameters.

    core: what both dialects run; ``postgresql``: what PostgreSQL runs instead, where the two must differ.
    writes: whether it changes something.
    """

    def __init__(self, core: ClauseElement, *, postgresql: ClauseElement | None = None) -> None:
        self._core = core
        self.writes = not isinstance(core, SelectBase)
        self._postgresql = core if postgresql is None else postgresql

    @cached_property
    def _on_sqlite(self) -> Compiled:
        return self._core.compile(dialect=sqlite.dialect(paramstyle="qmark"))

    @cached_property
    def _on_postgresql(self) -> Compiled:
        return self._postgresql.compile(dialect=_POSTGRESQL)

    @cached_property
    def sqlite(self) -> str:
        """The text for sqlite3, compiled when it is first wanted."""
        return str(self._on_sqlite)

    @cached_property
    def sqlite_values(self) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
        """Puts named values into the order of the text: binding by place costs sqlite3 a third of binding by name."""
        return _in_order(self._on_sqlite)

    @cached_property
    def postgresql(self) -> str:
        """The text for PostgreSQL, compiled when it is first wanted; values are $1, $2 and so on."""
        return str(self._on_postgresql)

    @cached_property
    def postgresql_values(self) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
        """Puts named values into the order of the text."""
        return _in_order(self._on_postgresql)


def _in_order(compiled: Compiled) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    names = getattr(compiled, "positiontup", None) or ()
    fixed = _fixed(compiled)
    if fixed or len(names) < 2:
        return lambda values: list(map({**fixed, **values}.__getitem__, names))
    return itemgetter(*names)


def _fixed(compiled: Compiled) -> dict[str, Any]:
    """The constants of a statement, which SQLAlchemy turns into parameters of its own."""
    binds: dict[str, BindParameter[Any]] = getattr(compiled, "binds", {})
    return {name: bind.value for name, bind in binds.items() if not bind.required}


def insertion(table: Table) -> Statement:
    """An INSERT of every column; the parameters bear the columns' names."""
    return Statement(insert(table).values({column: bindparam(column.name) for column in table.columns}))


def addition(table: Table) -> Statement:
    """An INSERT of every column that changes no row if a unique key is taken, and leaves the transaction whole."""
    values: dict[str, Any] = {column.name: bindparam(column.name) for column in table.columns}
    return Statement(
        sqlite_insert(table).values(values).on_conflict_do_nothing(),
        postgresql=postgresql_insert(table).values(values).on_conflict_do_nothing(),
    )


def lookup(table: Table, columns: tuple[str, ...], *by: str) -> Statement:
    """A SELECT of the columns in this order, where each column of ``by`` equals the parameter of its name."""
    chosen = select(*(table.c[name] for name in columns))
    return Statement(chosen.where(*(table.c[name] == bindparam(name) for name in by)))


def page(table: Table, columns: tuple[str, ...], key: str, *chosen: ColumnElement[bool]) -> Statement:
    """A SELECT of ``limit`` rows of a tenant in the order of ``key``, above ``after``; chosen: which ones alone."""
    rows = select(*(table.c[name] for name in columns))
    above = (table.c.tenant == bindparam("tenant"), table.c[key] > bindparam("after"), *chosen)
    return Statement(rows.where(*above).order_by(table.c[key]).limit(bindparam("limit")))


def replacement(table: Table, *by: str) -> Statement:
    """An UPDATE of all columns but ``by``, which name the row."""
    change: dict[Any, Any] = {column: bindparam(column.name) for column in table.columns if column.name not in by}
    # SQLAlchemy reserves a SET column's own name for its value, so the row is named by ``of_<column>``.
    return Statement(update(table).where(*(table.c[name] == bindparam(f"of_{name}") for name in by)).values(change))
