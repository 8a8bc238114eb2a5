"""Bring a database to the schema of this version, and tell whether it is there; safe while others do the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ostiary.errors import ConfigurationError, Unavailable
from ostiary.storage import planner_statistics

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

HEAD = "0012"
UNFINISHED = "unfinished"
"""The setting that says what is filling the database; while it has a value nothing else opens it."""
_VERSION = "SELECT version_num FROM alembic_version"
_FILLING = f"SELECT value FROM settings WHERE name = '{UNFINISHED}'"  # noqa: S608 - a constant
_LOCK = 0x6F737469  # one number for every Ostiary, so that two migrations of one database wait for each other
POSTGRES = ("postgresql://", "postgres://")


def sqlite_path(url: str) -> Path:
    """The file of a ``sqlite:///path`` URL (``sqlite:////path`` for an absolute one)."""
    scheme, separator, path = url.partition(":///")
    if scheme != "sqlite" or not separator or not path or path == ":memory:":
        raise ConfigurationError("storage.url must be sqlite:///PATH or postgresql://USER@HOST/DATABASE.")
    return Path(path)


def check(url: str, *, filling: bool = False) -> str | None:
    """None if the schema is this version's, else one sentence that says what is wrong and how to mend it.

    filling: whoever asks is the one that fills it.
    """
    found = current(url)
    if found is not None and not filling and (purpose := unfinished(url)):
        return f"The database is half filled by `ostiary {purpose}`, which did not end; run that again, it begins anew."
    if found == HEAD:
        return None
    if found is None:
        return "The database has no Ostiary schema; run 'ostiary dev' or 'ostiary serve', which creates it."
    if found < HEAD:
        return f"The database has schema {found}, this Ostiary wants {HEAD}; start 'ostiary serve' once to upgrade it."
    return (
        f"The database has schema {found}, which is newer than {HEAD} of this Ostiary; install the newer version again."
    )


def current(url: str) -> str | None:
    """The schema that the database has, None if it has none; Unavailable if it cannot be asked."""
    return _first_value(url, _VERSION)


def unfinished(url: str) -> str | None:
    """The command that was to fill the database and has not ended, None if there is none; Unavailable as above."""
    return _first_value(url, _FILLING) or None


def _first_value(url: str, statement: str) -> str | None:
    """What it selects; None if there is no row, no table or no database."""
    if url.startswith(POSTGRES):
        return _first_value_on_postgres(url, statement)
    path = sqlite_path(url)
    if not path.exists():
        return None
    try:
        connection = sqlite3.connect(path)
        try:
            row = connection.execute(statement).fetchone()
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise Unavailable("storage", str(error)) from error
    except sqlite3.DatabaseError as error:
        raise ConfigurationError(f"{path} is not an SQLite database; give another path in storage.url.") from error
    return str(row[0]) if row else None


def _first_value_on_postgres(url: str, statement: str) -> str | None:
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            row = connection.execute(statement.encode()).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    except psycopg.Error as error:
        raise Unavailable("storage", type(error).__name__) from error
    return str(row[0]) if row else None


def upgrade(url: str) -> None:
    """Create or upgrade the schema; ConfigurationError if it is newer than this version.

    The first upgrade also makes ``installation_id``. An existing schema of this version is left alone at once.
    """
    found = current(url)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise ConfigurationError(check(url) or "")
    from sqlalchemy.exc import DBAPIError

    engine = engine_of(url)
    try:
        with migrating(engine) as connection:
            run(connection)
    except DBAPIError as error:
        raise Unavailable("storage", str(error.orig)) from error
    finally:
        engine.dispose()


def engine_of(url: str) -> Engine:
    """An engine for migrations alone; the file of SQLite is made if it is missing."""
    from sqlalchemy import create_engine

    if url.startswith(POSTGRES):
        return create_engine("postgresql+psycopg://" + url.partition("://")[2])
    path = sqlite_path(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Readable by the owner alone: it holds wrapped keys and what clients did.
    path.touch(mode=0o600, exist_ok=True)
    # SQLAlchemy reads the path raw here, so no character of it is taken for a part of a URL.
    return create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(path, timeout=30, isolation_level=None),
        isolation_level="AUTOCOMMIT",
    )


@contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """A transaction of which there is one at a time."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            connection.exec_driver_sql("PRAGMA synchronous=FULL")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")
            return
        with connection.begin():
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            yield connection


def run(connection: Connection, to: str = "head") -> None:
    """Run the migrations up to the revision ``to``."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)
    if connection.dialect.name == "sqlite":
        planner_statistics.write(connection)
