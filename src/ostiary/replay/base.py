"""The contract of a replay memory: an id is new once, and never again while the JWT that bears it could be used.

Every adapter fails closed: what cannot be remembered is refused with ``Unavailable``, and nothing live is ever dropped
to make room, so that a flood cannot empty the memory (RFC 9449 section 11.1).
"""

from __future__ import annotations

from typing import Protocol


class ReplayMemory(Protocol):
    """Check-and-mark, atomic for everyone who shares the memory."""

    async def first_time(self, issuer: str, jti: str, *, expires_at: float, now: float) -> bool:
        """Whether this (issuer, jti) was never marked before; it is marked now.

        expires_at: until when it must be remembered, seconds since the epoch, at most one day after ``now``.
        Raises Unavailable when the memory cannot answer, ValueError when the mark would have to live too long.
        """
        ...

    def first_time_sync(self, issuer: str, jti: str, *, expires_at: float, now: float) -> bool:
        """The same for callers without an event loop; it may block for the time of one durable write."""
        ...
