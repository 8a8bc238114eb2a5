"""A new database that is filled from elsewhere: nothing opens it before it is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.errors import Unavailable
from ostiary.storage.migrate import HEAD, POSTGRES, UNFINISHED, engine_of, migrating, run
from ostiary.storage.migration_lock import refuse_lent

if TYPE_CHECKING:
    from sqlalchemy import Connection


def begin_filling(url: str, command: str, *, schema: str = HEAD) -> None:
    """Make the tables of ``schema``, empty, with the mark that ``command`` (such as ``"restore"``) has not ended.

    On PostgreSQL the tables of an Ostiary that are there are dropped in the same transaction; on SQLite there must be
    no file. Raises ConfigurationError and Unavailable.
    """
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    if url.startswith(POSTGRES):
        refuse_lent(url)
    engine = engine_of(url)
    try:
        with migrating(engine) as connection:
            if url.startswith(POSTGRES):
                _drop(connection)
            run(connection, schema)
            for table in ("settings", "counters"):
                connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - two constants
            mark = text("INSERT INTO settings (tenant, name, value) VALUES ('default', :name, :value)")
            connection.execute(mark, {"name": UNFINISHED, "value": command})
    except DBAPIError as error:
        raise Unavailable("storage", str(error.orig)) from error
    finally:
        engine.dispose()


def _drop(connection: Connection) -> None:
    from sqlalchemy import text

    from ostiary.storage.schema import METADATA

    names = ", ".join(sorted(METADATA.tables))
    connection.execute(text(f"DROP TABLE IF EXISTS {names}, alembic_version"))
