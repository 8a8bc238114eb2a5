"""From a storage URL to the wake-ups of its readers."""

from __future__ import annotations

from ostiary.revocation_feed.base import WakeUps
from ostiary.revocation_feed.sqlite import SqliteWakeUps
from ostiary.storage.base import Storage


def wake_ups_for(url: str, storage: Storage) -> WakeUps:
    """The adapter for the database at ``url``, which ``storage`` is; not yet opened."""
    if not url.startswith(("postgresql://", "postgres://")):
        return SqliteWakeUps(storage)
    from ostiary.revocation_feed.postgres import PostgresWakeUps

    return PostgresWakeUps(url)
