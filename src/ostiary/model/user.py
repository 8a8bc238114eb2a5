"""A user: a person who signs in, and the claims that applications may be told of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

UserState = Literal["active", "disabled"]


@dataclass(frozen=True, slots=True)
class User:
    """A person.

    user_id: ``usr_`` and 96 random bits; the public ``sub``, never given to anybody else.
    username: what is typed at the sign-in, as the person wrote it; username_key: the same folded, unique in the tenant.
    email: "" if there is none; email_verified: whether the person has shown that they read it.
    claims: standard claims (OpenID Connect Core 5.1) by name, such as ``{"name": "Ada"}``; without sub and email.
    created_at, updated_at: seconds since the epoch.
    """

    user_id: str
    username: str
    username_key: str
    state: UserState
    email: str
    email_verified: bool
    claims: dict[str, object] = field(default_factory=dict)
    created_at: int = 0
    updated_at: int = 0
    tenant: str = "default"
