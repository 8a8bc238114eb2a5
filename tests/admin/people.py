"""What hangs on a user, written as the sign-in and the authorization endpoint leave it."""

from __future__ import annotations

from typing import Any

from ostiary.model.consent import Consent
from ostiary.model.grant import Grant
from ostiary.model.session import Session
from ostiary.storage.base import UnitOfWork

ORDERS = "https://orders.example.com"


def session_of(user_id: str, session_id: str, now: float, **changes: Any) -> Session:
    at = int(now)
    facts: dict[str, Any] = {
        "digest": session_id.encode().ljust(32, b"s"),
        "browser_digest": b"b" * 32,
        "amr": ("pwd",),
        "acr": "1",
        "auth_time": at,
        "created_at": at,
        "last_seen_at": at,
        "idle_until": at + 3600,
        "expires_at": at + 7200,
        "device": "Firefox on Linux",
        "address": "192.0.2.7",
    }
    return Session(session_id=session_id, user_id=user_id, **(facts | changes))


def grant_of(user_id: str, grant_id: str, client_id: str, now: float, **changes: Any) -> Grant:
    facts: dict[str, Any] = {
        "subject": user_id,
        "kind": "authorization_code",
        "created_at": int(now),
        "expires_at": int(now) + 86_400,
        "ended_at": None,
        "scopes": {ORDERS: ("orders:read",)},
    }
    return Grant(grant_id=grant_id, client_id=client_id, user_id=user_id, **(facts | changes))


async def give(work: UnitOfWork, user_id: str, client_id: str, now: float) -> None:
    """A session ``ses_1``, a consent to ``client_id`` and a grant ``gr_1`` in that session."""
    await work.sessions.add(session_of(user_id, "ses_1", now))
    await work.consents.put(Consent(user_id, client_id, ORDERS, ("orders:read",), int(now), int(now)))
    await work.grants.add(grant_of(user_id, "gr_1", client_id, now, session_id="ses_1"))
