"""A session: a user who has signed in, in one browser, until it ends."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Session:
    """One account in one browser.

    session_id: public, ``sid`` in tokens; it stays when its user proves themselves again in the same browser.
    digest: SHA-256 of the browser's session secret. All accounts of one browser share the secret, and each sign-in
        makes a new one for all of them, so it is not unique.
    browser_digest: SHA-256 of the long-lived secret by which the browser is known again.
    amr, acr, auth_time: how strongly and when the user proved themselves (RFC 8176, OpenID Connect Core 2).
    idle_until, expires_at: when it ends by itself, unless used before the former.
    ended_at: when it was ended, None while it was not.
    device: the browser in words, for its user; personal data, as ``address`` is.
    Times are seconds since the epoch.
    """

    session_id: str
    digest: bytes = field(repr=False)
    browser_digest: bytes = field(repr=False)
    user_id: str
    amr: tuple[str, ...]
    acr: str
    auth_time: int
    created_at: int
    last_seen_at: int
    idle_until: int
    expires_at: int
    ended_at: int | None = None
    device: str = ""
    address: str = ""
    tenant: str = "default"

    def stands(self, now: float) -> bool:
        """Whether it counts at this time (seconds since the epoch)."""
        return self.ended_at is None and now < self.idle_until and now < self.expires_at
