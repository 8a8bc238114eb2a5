"""How many may read at once in one process: all together, and those of one identity."""

from __future__ import annotations

from collections import Counter

from ostiary.errors import OAuthError

_RETRY_ONE, _RETRY_ALL = 30, 5


class Seats:
    """Counts streams. A seat is taken before the reader is written down and given back when its stream has ended."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._taken: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many are taken."""
        return self._taken.total()

    def take(self, client_id: str) -> None:
        """Raises OAuthError: 429 if this identity has all that are its own, 503 if all are taken."""
        if self._taken[client_id] >= self._most_of_one:
            raise _full(429, _RETRY_ONE, self._most_of_one, "revocation_feed.max_streams_per_api")
        if len(self) >= self._most:
            raise _full(503, _RETRY_ALL, self._most, "revocation_feed.max_streams")
        self._taken[client_id] += 1

    def give_back(self, client_id: str) -> None:
        """A seat that was taken is free again."""
        self._taken[client_id] -= 1
        if not self._taken[client_id]:
            del self._taken[client_id]


def _full(status: int, retry_after: int, most: int, setting: str) -> OAuthError:
    return OAuthError(
        "temporarily_unavailable",
        "too many streams at once",
        status=status,
        headers={"Retry-After": str(retry_after)},
        check="streams",
        seen=f"{most} in this process",
        expected=f"fewer than {most}",
        mend=f"raise {setting}, or have the processes of one host share a stream",
    )
