"""A grant: what a client was given, by a user or by the operator; every token hangs on one."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Grant:
    """The standing grant of a client (client credentials), or what a user allowed a client in one authorization.

    kind: ``"client_credentials"`` or ``"authorization_code"``. subject: the client, or the user's ``sub`` at it.
    ended_at: seconds since the epoch, None while it stands.
    user_id, session_id: whose it is and in which session it was given; "" without a user.
    scopes: for each API (its identifier; "" for what OpenID Connect tells) what may be asked for, never widened.
    facts: what the authorization request leaves for its tokens, as JSON text: ``auth_time``, ``acr``, ``amr``,
        requested claims.
    """

    grant_id: str
    client_id: str
    subject: str
    kind: str
    created_at: int
    expires_at: int | None
    ended_at: int | None
    user_id: str = ""
    session_id: str = ""
    scopes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    facts: str = "{}"
    tenant: str = "default"

    def stands(self, now: float) -> bool:
        """Whether it allows anything at this time (seconds since the epoch)."""
        return self.ended_at is None and (self.expires_at is None or now < self.expires_at)
