"""How many requests of one client are in flight, so that one client cannot take the whole server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ostiary.errors import OAuthError


class Concurrency:
    """Counts by client; a client counts only once it has proven itself, so nobody can use up another's share."""

    def __init__(self) -> None:
        self._in_flight: dict[str, int] = {}

    @contextmanager
    def slot(self, client_id: str, limit: int) -> Iterator[OAuthError | None]:
        """Hold one of the client's ``limit`` slots; what is given is the refusal if there is none left."""
        held = self._in_flight.get(client_id, 0)
        refusal = _too_many(held, limit) if held >= limit else None
        self._in_flight[client_id] = held + 1
        try:
            yield refusal
        finally:
            left = self._in_flight[client_id] - 1
            if left:
                self._in_flight[client_id] = left
            else:
                del self._in_flight[client_id]


def _too_many(held: int, limit: int) -> OAuthError:
    return OAuthError(
        "temporarily_unavailable",
        "too many requests at once",
        status=429,
        headers={"Retry-After": "1"},
        check="concurrency",
        seen=f"{held} in flight",
        expected=f"at most {limit}",
        mend="share one token among the callers of this client, or raise its max_concurrency",
    )
