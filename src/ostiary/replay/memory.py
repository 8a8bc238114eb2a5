"""Replay memory of one process, bounded; wrong as soon as two processes admit, so by explicit choice only."""

from __future__ import annotations

import heapq
from threading import Lock

from ostiary.errors import Unavailable
from ostiary.replay.buckets import MAX_LIFE, digest_of


class ProcessReplayMemory:
    """Remembers at most ``capacity`` live marks; when it is full it refuses, it never forgets.

    What a mark costs is some 150 octets, so the default takes at most 15 MB.
    """

    def __init__(self, capacity: int = 100_000) -> None:
        self._capacity = capacity
        self._seen: dict[bytes, float] = {}
        self._ends: list[tuple[float, bytes]] = []
        self._lock = Lock()

    async def first_time(self, issuer: str, jti: str, *, expires_at: float, now: float) -> bool:
        """See ``ReplayMemory``; it takes microseconds and never suspends."""
        return self.first_time_sync(issuer, jti, expires_at=expires_at, now=now)

    def first_time_sync(self, issuer: str, jti: str, *, expires_at: float, now: float) -> bool:
        """See ``ReplayMemory``."""
        if not expires_at - now <= MAX_LIFE:
            raise ValueError("a replay mark is kept for at most one day")
        digest = digest_of(issuer, jti)
        with self._lock:
            self._forget_ended(now)
            if digest in self._seen:
                return False
            if len(self._seen) >= self._capacity:
                raise Unavailable("replay memory", "full of live marks")
            self._seen[digest] = expires_at
            heapq.heappush(self._ends, (expires_at, digest))
            return True

    def _forget_ended(self, now: float) -> None:
        while self._ends and self._ends[0][0] < now:
            del self._seen[heapq.heappop(self._ends)[1]]
