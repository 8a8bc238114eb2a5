"""One migration of a PostgreSQL database at a time, and the words for one that another transaction held up."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ostiary.errors import ConfigurationError, Unavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.exc import DBAPIError

_log = logging.getLogger(__name__)

_LOCK = 0x6F737469  # one number for every Ostiary, so that two migrations of one database wait for each other
_POLL = 0.1
_LOCK_NOT_AVAILABLE = "55P03"
_OLDEST = (
    "SELECT pid, state, application_name, extract(epoch FROM clock_timestamp() - xact_start)::bigint"
    " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
    " ORDER BY xact_start LIMIT 1"
)


def refuse_lent(url: str) -> None:
    """ConfigurationError where a pooler lends its connections: the lock would stay with one that is no longer ours."""
    from ostiary.storage.pooler import check_sessions

    with ThreadPoolExecutor(1) as thread:  # of its own, for a loop may run in this one
        problem = thread.submit(asyncio.run, check_sessions(url)).result()
    if problem is not None:
        raise ConfigurationError(problem)


@contextmanager
def one_at_a_time(engine: Engine) -> Iterator[Connection]:
    """A connection without a transaction, which alone migrates for as long as it lives.

    The lock is the session's, and ends with it. Whoever waits for it asks again and again, and is in no transaction
    meanwhile: CREATE INDEX CONCURRENTLY waits for every older transaction, and so would wait for one that waits for it.
    """
    with engine.connect() as connection:
        waited = False
        while not _taken(connection):
            if not waited:
                _log.info("Another process is upgrading the database; waiting until it has ended.")
            waited = True
            time.sleep(_POLL)
        yield connection


def _taken(connection: Connection) -> bool:
    with connection.begin():
        return connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({_LOCK})").scalar() is True


def failure(engine: Engine, error: DBAPIError) -> Unavailable:
    """What went wrong, in our words; for a lock that was not given in time with what to do about it."""
    if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
        return Unavailable("storage", str(error.orig))
    return Unavailable(
        "storage",
        "the upgrade of the schema has waited long enough for another transaction and gave up. "
        f"{_oldest(engine)} When it has ended, start again: what is done stays done, and an index that is half "
        "built is built anew.",
    )


def _oldest(engine: Engine) -> str:
    """Says which transaction is the oldest, as far as this user may see it."""
    with engine.connect() as connection:
        row = connection.exec_driver_sql(_OLDEST).first()
    if row is None:
        return "A superuser sees it in pg_stat_activity."
    pid, state, name, seconds = row
    who = f"process {pid} ({name or 'without application_name'}, {state})"
    return f"The oldest, of {seconds} s, is that of {who}: SELECT pg_terminate_backend({pid}) ends it."
