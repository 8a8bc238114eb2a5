"""From the settings of the storage to the wake-ups of its readers."""

from __future__ import annotations

from ostiary.errors import ConfigurationError
from ostiary.revocation_feed.base import WakeUps
from ostiary.revocation_feed.sqlite import SqliteWakeUps
from ostiary.settings import Settings
from ostiary.storage.base import Storage


def wake_ups_for(settings: Settings, storage: Storage) -> WakeUps:
    """The adapter for the database of ``settings``, which ``storage`` is; not yet opened.

    Raises MissingExtra if Valkey is named without the extra ``redis``, ConfigurationError for an address that is none.
    """
    url, valkey = settings.storage.url, settings.storage.wake_ups_url
    if not url.startswith(("postgresql://", "postgres://")):
        return SqliteWakeUps(storage)
    if valkey is None:
        from ostiary.revocation_feed.postgres import PostgresWakeUps

        return PostgresWakeUps(url)
    from ostiary.revocation_feed.redis import RedisWakeUps
    from ostiary.storage.postgres import PostgresStorage

    if not isinstance(storage, PostgresStorage):
        raise ConfigurationError("storage.wake_ups_url is for nodes that share a PostgreSQL: leave it out.")
    wake_ups = RedisWakeUps(valkey, settings.issuer)
    storage.after_revocation = wake_ups.announce_soon
    return wake_ups
