"""Token buckets: so many acts a minute for one source and for all together, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

_MINUTE = 60.0


class TokenBucket:
    """Holds a minute's worth of tokens and fills evenly. clock: monotonic seconds."""

    __slots__ = ("_at", "_clock", "_level", "_per_minute")

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._level = float(per_minute)
        self._at = clock()

    def holds_one(self) -> bool:
        """Whether a token is there; it stays there."""
        now = self._clock()
        filled = (now - self._at) * self._per_minute / _MINUTE
        self._level = min(float(self._per_minute), self._level + filled)
        self._at = now
        return self._level >= 1.0

    def take(self) -> bool:
        """Take a token; whether there was one."""
        if not self.holds_one():
            return False
        self._level -= 1.0
        return True


class SourceBuckets:
    """A bucket for each source beside one for all; a token is taken from both or from neither.

    max_sources: of more than these the one that was silent longest is forgotten, and would begin with a full bucket:
    the bucket for all bounds what that could be used for.
    """

    def __init__(self, total: int, per_source: int, clock: Callable[[], float], *, max_sources: int = 4096) -> None:
        self._total = TokenBucket(total, clock)
        self._per_source = per_source
        self._clock = clock
        self._max_sources = max_sources
        self._sources: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        """How many sources are remembered."""
        return len(self._sources)

    def take(self, source: str) -> bool:
        """Take a token for an act of ``source``; whether there was one."""
        bucket = self._sources.get(source)
        if bucket is None:
            bucket = self._sources[source] = TokenBucket(self._per_source, self._clock)
            if len(self._sources) > self._max_sources:
                self._sources.popitem(last=False)
        else:
            self._sources.move_to_end(source)
        return bucket.holds_one() and self._total.take() and bucket.take()
