"""From a storage URL to its adapter."""

from __future__ import annotations

import time
from collections.abc import Callable

from ostiary.storage.base import Storage
from ostiary.storage.migrate import sqlite_path
from ostiary.storage.sqlite import SqliteStorage


def storage_for(url: str, *, clock: Callable[[], float] = time.time) -> Storage:
    """The adapter for ``sqlite:///path`` or ``postgresql://...``, not yet opened; else ConfigurationError."""
    if not url.startswith(("postgresql://", "postgres://")):
        return SqliteStorage(sqlite_path(url), clock=clock)
    # Imported here, so that a server on SQLite needs no driver of PostgreSQL.
    from ostiary.storage.postgres import PostgresStorage

    return PostgresStorage(url, clock=clock)
