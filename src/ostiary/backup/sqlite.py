"""A copy's view of one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from ostiary.backup.databases import View
from ostiary.backup.shape import Row, Shape
from ostiary.errors import ConfigurationError, Unavailable

_AT_ONCE = 5000


class SqliteDatabase:
    """``backup.databases.Database`` over ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        # Not made by the way: a path with a slip in it would become an empty database.
        if not self._path.exists():
            raise ConfigurationError(f"There is no database {self._path}: name it in storage.url.")
        connection = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        try:
            yield connection
        except sqlite3.Error as error:
            raise Unavailable("storage", str(error)) from error
        finally:
            connection.close()

    @contextmanager
    def view(self) -> Iterator[View]:
        """A reading transaction: in WAL mode it sees one state and holds up nobody."""
        with self._connected() as connection:
            connection.execute("PRAGMA query_only=ON")
            connection.execute("BEGIN")
            yield _View(connection)

    @contextmanager
    def still(self) -> Iterator[View]:
        """The file is taken out of WAL mode, which SQLite does only while nobody else has it open, and then held."""
        with self._connected() as connection:
            if not _alone(connection):
                raise ConfigurationError(f"{self._path} is being served: stop every `ostiary serve` on it first.")
            connection.execute("BEGIN EXCLUSIVE")
            yield _View(connection)

    def fill(self, shape: Shape, rows: Iterable[Row]) -> None:
        places = ", ".join("?" * len(shape.columns))
        insert = f'INSERT INTO "{shape.name}" ({_list(shape)}) VALUES ({places})'  # noqa: S608 - names are checked
        with self._connected() as connection:
            connection.execute("PRAGMA synchronous=FULL")
            rest = iter(rows)
            while some := list(islice(rest, _AT_ONCE)):
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(insert, some)
                connection.execute("COMMIT")

    def in_use(self) -> bool:
        with self._connected() as connection:
            return not _alone(connection)


class _View:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, shape: Shape, condition: str = "") -> Iterator[Row]:
        where = f" WHERE {condition}" if condition else ""
        found = self._connection.execute(f'SELECT {_list(shape)} FROM "{shape.name}"{where}')  # noqa: S608 - as above
        while some := found.fetchmany(_AT_ONCE):
            yield from some


def _alone(connection: sqlite3.Connection) -> bool:
    """SQLite leaves WAL mode only when no other connection has the file open, be it busy or not."""
    connection.execute("PRAGMA busy_timeout=0")
    try:
        (mode,) = connection.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return False
        raise
    return bool(mode == "delete")


def _list(shape: Shape) -> str:
    return ", ".join(f'"{name}"' for name in shape.names)
