"""From the settings of the storage to the wake-ups of its readers."""

from __future__ import annotations

from ostiary.revocation_feed.base import WakeUps
from ostiary.revocation_feed.sqlite import SqliteWakeUps
from ostiary.settings import Settings
from ostiary.storage.base import Storage


def wake_ups_for(settings: Settings, storage: Storage) -> WakeUps:
    """The adapter for the database of ``settings``, which ``storage`` is, and hears of its commits; not yet opened.

    Raises MissingExtra if Valkey is named without the extra ``redis``, ConfigurationError for an address that is none.
    """
    url, valkey = settings.storage.url, settings.storage.wake_ups_url
    if not url.startswith(("postgresql://", "postgres://")):
        looking = SqliteWakeUps(storage)
        storage.after_revocation = looking.ring  # nobody here needs to wait for the next look
        return looking
    if valkey is None:
        from ostiary.revocation_feed.postgres import PostgresWakeUps

        return PostgresWakeUps(url)
    from ostiary.revocation_feed.redis import RedisWakeUps

    wake_ups = RedisWakeUps(valkey, settings.issuer)
    storage.after_revocation = wake_ups.announce
    return wake_ups
