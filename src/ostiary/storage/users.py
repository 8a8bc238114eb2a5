"""Users: statements and repository."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select

from ostiary.errors import ConfigurationError
from ostiary.model.user import User
from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection, Row
from ostiary.storage.json_columns import decoder, to_json
from ostiary.storage.schema import USERS
from ostiary.storage.statements import Statement, addition, lookup, page, replacement

_COLUMNS = tuple(User.__dataclass_fields__)
_GET = lookup(USERS, _COLUMNS, "tenant", "user_id")
_HOLD = Statement(
    select(*(USERS.c[name] for name in _COLUMNS))
    .where(USERS.c.tenant == bindparam("tenant"), USERS.c.user_id == bindparam("user_id"))
    .with_for_update()  # on PostgreSQL; on SQLite there is one writer at a time
)
_BY_NAME = lookup(USERS, _COLUMNS, "tenant", "username_key")
_BY_EMAIL = Statement(
    select(*(USERS.c[name] for name in _COLUMNS))
    .where(USERS.c.tenant == bindparam("tenant"), USERS.c.email_key == bindparam("email_key"))
    .order_by(USERS.c.user_id)
)
_ADD = addition(USERS)
_REPLACE = replacement(USERS, "tenant", "user_id")
_LIST = page(USERS, _COLUMNS, "user_id")
_CLAIMS = decoder(dict[str, object])


def email_key(email: str) -> str:
    """The form in which e-mail addresses are compared."""
    return email.casefold()


def _from_row(row: Row) -> User:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["claims"] = _CLAIMS.decode(values["claims"])
    values["email_verified"] = bool(values["email_verified"])
    return User(**values)


def _to_row(user: User) -> dict[str, Any]:
    values = {name: getattr(user, name) for name in _COLUMNS}
    return values | {"claims": to_json(user.claims), "email_key": email_key(user.email)}


class SqlUsers:
    """The users; they are read anew at each request, so no position rises."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, user_id: str, *, tenant: str = TENANT) -> User | None:
        row = await self._connection.one(_GET, {"tenant": tenant, "user_id": user_id})
        return _from_row(row) if row else None

    async def hold(self, user_id: str, *, tenant: str = TENANT) -> User | None:
        row = await self._connection.one(_HOLD, {"tenant": tenant, "user_id": user_id})
        return _from_row(row) if row else None

    async def by_name(self, username_key: str, *, tenant: str = TENANT) -> User | None:
        row = await self._connection.one(_BY_NAME, {"tenant": tenant, "username_key": username_key})
        return _from_row(row) if row else None

    async def by_email(self, email: str, *, tenant: str = TENANT) -> list[User]:
        """Every user with this address, verified or not, ordered by user_id; for "" nobody, though many have none."""
        if not email:
            return []
        rows = await self._connection.all(_BY_EMAIL, {"tenant": tenant, "email_key": email_key(email)})
        return [_from_row(row) for row in rows]

    async def list(self, *, after: str = "", limit: int = 100, tenant: str = TENANT) -> list[User]:
        """Ordered by user_id, from the first one above ``after``."""
        rows = await self._connection.all(_LIST, {"tenant": tenant, "after": after, "limit": limit})
        return [_from_row(row) for row in rows]

    async def add(self, user: User) -> None:
        if not await self._connection.run(_ADD, _to_row(user)):
            raise ConfigurationError(f"The user name {user.username!r} is taken; choose another one.")

    async def replace(self, user: User) -> None:
        row = _to_row(user)
        row |= {"of_tenant": row.pop("tenant"), "of_user_id": row.pop("user_id")}
        other = await self.by_name(user.username_key, tenant=user.tenant)
        if other is not None and other.user_id != user.user_id:
            raise ConfigurationError(f"The user name {user.username!r} is taken; choose another one.")
        if not await self._connection.run(_REPLACE, row):
            raise ConfigurationError(f"There is no user {user.user_id!r}; create it first.")
