"""The kinds of columns that the tables are made of."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, MetaData, Table, Text, false, true

METADATA = MetaData()


def text(name: str, *, key: bool = False, optional: bool = False, default: str | None = None) -> Column[str]:
    """A text column; key: part of the primary key; optional: may be NULL; default: of rows that were there before."""
    return Column(name, Text, primary_key=key, nullable=optional, server_default=default)


def whole(name: str, *, key: bool = False, optional: bool = False) -> Column[int]:
    """A column of whole numbers, 64 bits wide."""
    return Column(name, BigInteger, primary_key=key, nullable=optional, autoincrement=False)


def octets(name: str, *, key: bool = False, optional: bool = False) -> Column[bytes]:
    """A column of octets."""
    return Column(name, LargeBinary, primary_key=key, nullable=optional)


def flag(name: str, *, default: bool | None = None) -> Column[bool]:
    """A column of yes or no; default: of rows that were there before."""
    before = None if default is None else true() if default else false()
    return Column(name, Boolean, nullable=False, server_default=before)


def tenant() -> Column[str]:
    """The tenant, first part of every key."""
    return text("tenant", key=True)


def table(name: str, *items: Column[str] | Column[int] | Column[bytes] | Column[bool] | Index) -> Table:
    """A table stored in the order of its key."""
    return Table(name, METADATA, *items, sqlite_with_rowid=False)
