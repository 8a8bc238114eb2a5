"""Replay memories that need a server: Valkey past its first window, and the marks of the server's own storage."""

from __future__ import annotations

import asyncio
import math
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ostiary.errors import Unavailable
from ostiary.replay.base import ReplayMemory
from ostiary.replay.buckets import CLOCK_SLACK, MAX_LIFE
from ostiary.replay.redis import RedisReplayMemory
from ostiary.storage.base import Storage
from ostiary.storage.open import storage_for


def valkey_memory(
    url: str, *, now: float, longest_life: float = MAX_LIFE, name: str | None = None
) -> RedisReplayMemory:
    """A memory at ``url``, by default one of its own, that admits from ``now`` on: its first window is over."""
    memory = RedisReplayMemory(url, name=name or uuid.uuid4().hex, longest_life=longest_life)
    before = now - longest_life - CLOCK_SLACK - 1
    with pytest.raises(Unavailable):
        memory.first_time_sync("nobody", "none", expires_at=before + 1, now=before)
    return memory


class StoredMemory:
    """The replay marks of the authorization server (``storage.base.Replay``) behind the seam of an API's memory."""

    def __init__(self, storage: Storage, loop: asyncio.AbstractEventLoop) -> None:
        self._storage = storage
        self._loop = loop

    async def first_time(self, issuer: str, jti: str, *, expires_at: float, now: float) -> bool:
        asked = asyncio.run_coroutine_threadsafe(self._mark(issuer, jti, expires_at, now), self._loop)
        return await asyncio.wrap_future(asked)

    def first_time_sync(self, issuer: str, jti: str, *, expires_at: float, now: float) -> bool:
        return asyncio.run_coroutine_threadsafe(self._mark(issuer, jti, expires_at, now), self._loop).result()

    async def _mark(self, issuer: str, jti: str, expires_at: float, now: float) -> bool:
        # The server counts in whole seconds.
        until = math.ceil(expires_at) if math.isfinite(expires_at) else int(now) + 2 * MAX_LIFE
        async with self._storage.write() as work:
            return await work.replay.mark(issuer, jti, expires_at=until, now=math.ceil(now))


@contextmanager
def stored_memory(url: str) -> Iterator[ReplayMemory]:
    """The marks of the database at ``url``, used in an event loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    storage = storage_for(url)
    try:
        asyncio.run_coroutine_threadsafe(storage.open(), loop).result()
        yield StoredMemory(storage, loop)
        asyncio.run_coroutine_threadsafe(storage.close(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
