"""A browser in which a user has signed in before: it is throttled apart from strangers, and is no news to its user."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class KnownBrowser:
    """browser_digest: SHA-256 of the browser's long-lived secret. Times are seconds since the epoch."""

    user_id: str
    browser_digest: bytes = field(repr=False)
    created_at: int
    last_seen_at: int
    expires_at: int
    tenant: str = "default"
