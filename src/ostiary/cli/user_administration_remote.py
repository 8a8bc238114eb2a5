"""The operator's commands about users by the admin API of a server elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import BaseModel

from ostiary.admin.user_commands import NewPassword, NewUser, UserChanges, UserImport
from ostiary.cli.admin_http import in_path
from ostiary.cli.user_administration import Row


class Asking(Protocol):
    """How the admin API is asked."""

    async def one(
        self, method: str, path: str, command: BaseModel | None = None, *, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]: ...

    async def several(self, method: str, path: str, command: BaseModel | None = None) -> list[Row]: ...

    async def pages(self, path: str, key: str, **query: str) -> list[Row]: ...


class RemoteUserAdministration:
    """Each method is one request, or one a page."""

    def __init__(self, asking: Asking) -> None:
        self._ask = asking

    async def all(self, email: str = "") -> list[Row]:
        return await self._ask.pages("users", "user_id", **({"email": email} if email else {}))

    async def show(self, user: str) -> Row:
        return await self._ask.one("GET", "users/show", query={"user": user})

    async def create(self, command: NewUser) -> Row:
        return await self._ask.one("POST", "users", command)

    async def change(self, user_id: str, changes: UserChanges) -> Row:
        return await self._ask.one("PATCH", _user(user_id), changes)

    async def set_password(self, user_id: str, command: NewPassword) -> Row:
        return await self._ask.one("POST", f"{_user(user_id)}/password", command)

    async def disable(self, user_id: str) -> Row:
        return await self._ask.one("POST", f"{_user(user_id)}/disable")

    async def enable(self, user_id: str) -> Row:
        return await self._ask.one("POST", f"{_user(user_id)}/enable")

    async def import_batch(self, command: UserImport) -> list[Row]:
        return await self._ask.several("POST", "users/import", command)

    async def factors(self, user_id: str) -> list[Row]:
        return await self._ask.several("GET", f"{_user(user_id)}/factors")

    async def remove_factor(self, user_id: str, factor_id: str, *, end_sessions: bool) -> Row:
        query = {"end_sessions": "true" if end_sessions else "false"}
        return await self._ask.one("DELETE", f"{_user(user_id)}/factors/{in_path(factor_id)}", query=query)

    async def sessions(self, user_id: str) -> list[Row]:
        return await self._ask.several("GET", f"{_user(user_id)}/sessions")

    async def end_session(self, session_id: str) -> Row:
        return await self._ask.one("POST", f"sessions/{in_path(session_id)}/end")

    async def end_sessions(self, user_id: str) -> list[Row]:
        return await self._ask.several("POST", f"{_user(user_id)}/sessions/end")

    async def consents(self, user_id: str) -> list[Row]:
        return await self._ask.several("GET", f"{_user(user_id)}/consents")

    async def revoke_consent(self, user_id: str, client_id: str) -> Row:
        return await self._ask.one("DELETE", f"{_user(user_id)}/consents/{in_path(client_id)}")

    async def grants(self, user_id: str) -> list[Row]:
        return await self._ask.pages(f"{_user(user_id)}/grants", "grant_id")

    async def revoke_grant(self, grant_id: str) -> Row:
        return await self._ask.one("POST", f"grants/{in_path(grant_id)}/revoke")


def _user(user_id: str) -> str:
    return f"users/{in_path(user_id)}"
