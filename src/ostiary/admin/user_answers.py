"""What an operator is told of users, their factors, sessions, consents and grants; no secret and no digest of one."""

from __future__ import annotations

from typing import Any, Literal

from ostiary.admin.answers import Answer
from ostiary.model.factor import FactorKind
from ostiary.model.user import UserState


class UserAnswer(Answer):
    """A user; what its members mean is told in ``model.user``."""

    user_id: str
    username: str
    state: UserState
    email: str
    email_verified: bool
    claims: dict[str, Any]
    created_at: int
    updated_at: int


class FactorAnswer(Answer):
    """A factor, without what it proves by; see ``model.factor``."""

    factor_id: str
    user_id: str
    kind: FactorKind
    name: str
    created_at: int
    last_used_at: int | None


class SessionAnswer(Answer):
    """A session, without its secrets; see ``model.session``."""

    session_id: str
    user_id: str
    amr: list[str]
    acr: str
    auth_time: int
    created_at: int
    last_seen_at: int
    idle_until: int
    expires_at: int
    ended_at: int | None
    device: str
    address: str


class ConsentAnswer(Answer):
    """What a user allowed an application at one API; see ``model.consent``."""

    user_id: str
    client_id: str
    resource: str
    scopes: list[str]
    created_at: int
    updated_at: int


class GrantAnswer(Answer):
    """What a user granted an application in one authorization; see ``model.grant``."""

    grant_id: str
    client_id: str
    user_id: str
    session_id: str
    kind: str
    scopes: dict[str, list[str]]
    created_at: int
    expires_at: int | None
    ended_at: int | None


class ConsentEnd(Answer):
    """Whether there was a consent, or a grant that rested on one."""

    user_id: str
    client_id: str
    ended: bool


class ImportedAnswer(Answer):
    """What became of one of an import; reason: why it was refused."""

    outcome: Literal["made", "there", "refused"]
    user_id: str
    reason: str
