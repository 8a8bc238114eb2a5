"""Bring a database to the schema of this version, and tell whether it is there; safe while others do the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ostiary.errors import ConfigurationError, Unavailable
from ostiary.storage import planner_statistics
from ostiary.storage.migration_lock import failure, one_at_a_time, refuse_lent

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from ostiary.storage.migrations.online import Patience

HEAD = "0012"
UNFINISHED = "unfinished"
"""The setting that says what is filling the database; while it has a value nothing else opens it."""
_VERSION = "SELECT version_num FROM alembic_version"
_FILLING = f"SELECT value FROM settings WHERE name = '{UNFINISHED}'"  # noqa: S608 - a constant
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
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            row = connection.execute(statement.encode()).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    except psycopg.Error as error:
        raise Unavailable("storage", type(error).__name__) from error
    return str(row[0]) if row else None


def upgrade(url: str, patience: Patience | None = None) -> None:
    """Create or upgrade the schema; ConfigurationError if it is newer than this version, else Unavailable.

    The first upgrade also makes ``installation_id``. An existing schema of this version is left alone at once. On
    PostgreSQL others go on reading and writing meanwhile, and what is interrupted goes on where it stopped when it is
    started again. patience: how long it waits for the transactions of others before it gives up.
    """
    found = current(url)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise ConfigurationError(check(url) or "")
    from sqlalchemy.exc import DBAPIError, PendingRollbackError

    if url.startswith(POSTGRES):
        refuse_lent(url)
    engine = engine_of(url)
    try:
        if found is None or engine.dialect.name == "sqlite":
            with migrating(engine) as connection:
                run(connection)
        else:
            _upgrade_in_use(engine, patience)
    except DBAPIError as error:
        raise failure(engine, error) from error
    except PendingRollbackError as error:
        # So Alembic's autocommit block ends when the connection was lost in it.
        raise Unavailable("storage", "the connection was lost during the upgrade; start again") from error
    finally:
        engine.dispose()


def _upgrade_in_use(engine: Engine, patience: Patience | None) -> None:
    """Each migration in a transaction of its own, but for the indexes."""
    from ostiary.storage.migrations.online import Patience, set_lock_timeout

    patience = patience or Patience()
    with one_at_a_time(engine) as connection:
        with connection.begin():
            set_lock_timeout(connection, patience.strong)
            # An index takes as long as it takes, whatever the database's own default.
            connection.exec_driver_sql("SET statement_timeout = 0")
        run(connection, patience=patience)


def engine_of(url: str) -> Engine:
    """An engine for migrations alone; the file of SQLite is made if it is missing."""
    from sqlalchemy import NullPool, create_engine

    if url.startswith(POSTGRES):
        # Without a pool a connection that is given back ends its session, and with it the lock of a migration.
        address = "postgresql+psycopg://" + url.partition("://")[2]
        return create_engine(address, poolclass=NullPool, connect_args={"application_name": "ostiary upgrade"})
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
    if engine.dialect.name == "sqlite":
        with _migrating_sqlite(engine) as connection:
            yield connection
        return
    with one_at_a_time(engine) as connection, connection.begin():
        yield connection


@contextmanager
def _migrating_sqlite(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.exec_driver_sql("PRAGMA synchronous=FULL")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")


def run(connection: Connection, to: str = "head", *, patience: Patience | None = None) -> None:
    """Run the migrations up to the revision ``to``.

    In the transaction that the connection is in; or, where ``patience`` is given, on a connection of PostgreSQL that is
    in none, each in its own and the indexes of tables that are in use in none.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes.update(connection=connection, patience=patience)
    command.upgrade(config, to)
    if connection.dialect.name == "sqlite":
        planner_statistics.write(connection)
