"""From a storage URL to its adapter."""

from __future__ import annotations

import time
from collections.abc import Callable

from ostiary.storage.base import Storage
from ostiary.storage.migrate import sqlite_path
from ostiary.storage.sqlite import SqliteStorage

_POSTGRESQL = ("postgresql://", "postgres://")


def storage_for(url: str, *, clock: Callable[[], float] = time.time, patient: bool = False) -> Storage:
    """The adapter for ``sqlite:///path`` or ``postgresql://...``, not yet opened; else ConfigurationError.

    patient: nobody waits for an answer, and one statement may change every row of a table.
    """
    if not url.startswith(_POSTGRESQL):
        return SqliteStorage(sqlite_path(url), clock=clock)
    # Imported here, so that a server on SQLite needs no driver of PostgreSQL.
    from ostiary.storage.postgres import PostgresStorage

    return PostgresStorage(url, clock=clock, patient=patient)


def storage_warnings(url: str) -> list[str]:
    """One sentence for each way in which the database at ``url`` may lose what was answered. Raises Unavailable."""
    if not url.startswith(_POSTGRESQL):
        return []
    from ostiary.storage.standby import durability_warnings

    return durability_warnings(url)
