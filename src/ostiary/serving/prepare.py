"""What must be true before the first request: the schema, the static clients, a signing key of each algorithm."""

from __future__ import annotations

import asyncio

from ostiary.app import installation
from ostiary.authorization_server.static_registration import synchronize
from ostiary.settings import Settings
from ostiary.storage.migrate import upgrade


async def prepare(settings: Settings) -> None:
    """Bring the database to this version's schema and make what is missing; safe to run again and in parallel.

    Raises ConfigurationError, Unavailable.
    """
    await asyncio.to_thread(upgrade, settings.storage.url)
    async with installation(settings) as parts:
        await synchronize(parts.storage, settings, parts.clock)
        await parts.signing_keys.ensure(settings.keys.algorithms)
