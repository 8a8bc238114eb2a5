"""Wake-ups on one host with SQLite: while somebody waits, the log's position is looked at every ten milliseconds.

A look takes microseconds: SQLite is asked whether any connection has committed, and only then for the position. So it
needs nothing beside the database, hears of every process (also of commands), and loses nothing. What this process
itself commits rings at once (the storage's ``after_revocation``).
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from ostiary.errors import Unavailable
from ostiary.revocation_feed.memory import MemoryWakeUps
from ostiary.storage.base import Positions
from ostiary.tasks import end

INTERVAL = 0.01
PAUSE_AFTER_A_FAULT = 1.0


class _Storage(Protocol):
    async def positions(self) -> Positions: ...


class SqliteWakeUps(MemoryWakeUps):
    """``revocation_feed.base.WakeUps`` by looking; ``interval``: seconds between two looks."""

    def __init__(self, storage: _Storage, *, interval: float = INTERVAL) -> None:
        super().__init__()
        self._storage = storage
        self._interval = interval
        self._seen = -1
        self._waiting = 0
        self._looking: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """See ``WakeUps``."""
        task, self._looking = self._looking, None
        if task is not None:
            await end([task])
        await super().close()

    async def wait(self, timeout: float, *, since: int | None = None) -> None:  # noqa: ASYNC109 - the seam's
        """See ``WakeUps``."""
        self._waiting += 1
        try:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look_around())
            await super().wait(timeout, since=since)
        finally:
            self._waiting -= 1

    async def _look_around(self) -> None:
        # What changed while nobody waited, and nobody looked, is found by the first look, as it is not what was seen.
        while self._waiting:  # noqa: ASYNC110 - other processes can set no event
            await asyncio.sleep(await self._look())

    async def _look(self) -> float:
        """Ring if the log stands elsewhere than at the last look; how long to pause."""
        try:
            position = (await self._storage.positions()).revocation
        except Unavailable:
            self._seen = -1
            self.ring()  # whoever waits meets the fault itself
            return PAUSE_AFTER_A_FAULT
        if position != self._seen:
            self._seen = position
            self.ring()
        return self._interval
