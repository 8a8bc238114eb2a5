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
    "SELECT pid, application_name, state, extract(epoch FROM clock_timestamp() - xact_start)::bigint"
    " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
    " ORDER BY xact_start LIMIT 1"
)
_SEEN = "The oldest transaction is that of process {0} ({1}, {2}), {3} s old."
_UNSEEN = "Which one, pg_stat_activity shows to a superuser."
# A node that vanished while it holds the lock tells nobody: PostgreSQL itself is to find out, and let the next go on.
_KEEPALIVES = "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3"


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
        with connection.begin():
            connection.exec_driver_sql(_KEEPALIVES)
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
    found = _oldest(engine)
    end = "end it" if found is None else f"end it by SELECT pg_terminate_backend({found[0]})"
    return Unavailable(
        "storage",
        "the upgrade of the schema waited for another transaction and gave up. "
        + (_UNSEEN if found is None else _SEEN.format(*found)),
        mend=f"wait until it has ended, or {end}, and start again; what is done stays done, an index that is half "
        "built is built anew",
    )


def _oldest(engine: Engine) -> tuple[int, str, str, int] | None:
    """Process, name, state and age in seconds of the oldest transaction; None if this user cannot see it."""
    from sqlalchemy.exc import DBAPIError

    try:
        with engine.connect() as connection:
            row = connection.exec_driver_sql(_OLDEST).first()
    except DBAPIError:
        return None  # what is told is why the upgrade gave up; this only adds to it
    return None if row is None else (row[0], row[1] or "without a name", row[2], row[3])
