"""Indexes of tables that are in use: on PostgreSQL they are built while everybody goes on writing.

``CREATE INDEX CONCURRENTLY`` runs outside of a transaction. So what the migration did before is committed, without the
new revision, and a migration that is interrupted is run again from its beginning. Hence two rules for one that calls
``create_index``: the indexes come last, and what comes before asks first (``has_column``) whether it is done already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from alembic import op

PATIENCE = "patience"
"""The attribute of Alembic's configuration that holds the ``Patience`` of an upgrade of a database that is in use."""

_STATE = sa.text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that an upgrade waits for other transactions before it gives up.

    strong: for a lock that keeps everybody behind it waiting, such as that of ALTER TABLE; build: for each transaction
    that the build of an index must see the end of, which keeps nobody waiting.
    """

    strong: float = 5
    build: float = 300


def has_column(table: str, name: str) -> bool:
    """Whether it is there: then what the migration does in its transaction has been done."""
    return any(column["name"] == name for column in sa.inspect(op.get_bind()).get_columns(table))


def create_index(
    name: str, table: str, columns: Sequence[str], *, where: str | None = None, unique: bool = False
) -> None:
    """Make an index of a table that an earlier migration made; ``where``: the condition of its rows, in SQL.

    A valid index of that name is left alone. One that an interrupted build left is invalid (PostgreSQL keeps it up to
    date and never reads it): it is dropped and built anew.
    """
    # A database that nobody can use yet is made in one transaction, where an index is built at once.
    config = op.get_context().config
    patience = config.attributes.get(PATIENCE) if config is not None else None
    if not isinstance(patience, Patience):
        _create(name, table, columns, where=where, unique=unique)
        return
    with op.get_context().autocommit_block():
        set_lock_timeout(op.get_bind(), patience.build)
        valid = op.get_bind().execute(_STATE, {"name": name}).scalar()
        if valid is False:
            op.drop_index(name, postgresql_concurrently=True)
        if not valid:
            _create(name, table, columns, where=where, unique=unique, concurrently=True)
        set_lock_timeout(op.get_bind(), patience.strong)


def set_lock_timeout(connection: sa.Connection, seconds: float) -> None:
    """How long each statement from now on waits for a lock before it fails."""
    connection.exec_driver_sql(f"SET lock_timeout = {round(seconds * 1000)}")


def _create(
    name: str, table: str, columns: Sequence[str], *, where: str | None, unique: bool, concurrently: bool = False
) -> None:
    chosen = sa.text(where) if where is not None else None
    op.create_index(
        name,
        table,
        columns,
        unique=unique,
        sqlite_where=chosen,
        postgresql_where=chosen,
        postgresql_concurrently=concurrently,
    )
