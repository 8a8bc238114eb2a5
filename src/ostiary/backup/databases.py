"""SEAM: a database as a copy sees it: all rows of a table in one consistent view, and a table to be filled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from ostiary.backup.shape import Row, Shape
from ostiary.storage.migrate import POSTGRES


class View(Protocol):
    """Everything as it was at one moment, however long it is read. Methods raise Unavailable."""

    def rows(self, shape: Shape, condition: str = "") -> Iterator[Row]:
        """Every row in any order; condition: SQL of our own that chooses some."""
        ...


class Database(Protocol):
    """One database, reached by its driver; every method raises Unavailable."""

    def view(self) -> AbstractContextManager[View]:
        """Beside servers that go on writing; they are not held up."""
        ...

    def still(self) -> AbstractContextManager[View]:
        """The same where nobody else may write until it is left. Raises ConfigurationError: it is being served."""
        ...

    def fill(self, shape: Shape, rows: Iterable[Row]) -> None:
        """Add the rows. Raises ConfigurationError: one of them does not fit."""
        ...

    def in_use(self) -> bool:
        """Whether a server, or anybody else in its name, has it open."""
        ...


def database(url: str) -> Database:
    """The adapter for the URL of a storage. Raises ConfigurationError."""
    if url.startswith(POSTGRES):
        from ostiary.backup.postgres import PostgresDatabase

        return PostgresDatabase(url)
    from ostiary.backup.sqlite import SqliteDatabase
    from ostiary.storage.migrate import sqlite_path

    return SqliteDatabase(sqlite_path(url))
