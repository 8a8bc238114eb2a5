"""A grant: what a client was given, by a user or by the operator; every token hangs on one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Grant:
    """The standing grant of a client (client credentials), and later a user's consent to a client.

    ended_at: seconds since the epoch, None while it stands.
    """

    grant_id: str
    client_id: str
    subject: str
    kind: str
    created_at: int
    expires_at: int | None
    ended_at: int | None
    tenant: str = "default"

    def stands(self, now: float) -> bool:
        """Whether it allows anything at this time (seconds since the epoch)."""
        return self.ended_at is None and (self.expires_at is None or now < self.expires_at)
