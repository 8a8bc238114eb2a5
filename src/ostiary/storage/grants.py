"""Grants: statements and repository."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, bindparam, select, update

from ostiary.errors import ConfigurationError
from ostiary.model.grant import Grant
from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection, Row
from ostiary.storage.json_columns import decoder, to_json
from ostiary.storage.ledger import Ledger
from ostiary.storage.schema import GRANT_OF_A_USER, GRANTS
from ostiary.storage.statements import Statement, addition, lookup

_COLUMNS = tuple(Grant.__dataclass_fields__)
_SELECTED = [GRANTS.c[name] for name in _COLUMNS]
_HERE = GRANTS.c.tenant == bindparam("tenant")
_GET = lookup(GRANTS, _COLUMNS, "tenant", "grant_id")
_ADD = addition(GRANTS)
_END = Statement(
    update(GRANTS)
    .where(
        GRANTS.c.tenant == bindparam("of_tenant"),
        GRANTS.c.grant_id == bindparam("of_grant_id"),
        GRANTS.c.ended_at.is_(None),
    )
    .values(ended_at=bindparam("at"))
    .returning(GRANTS.c.user_id)
)
_END_OF_USERS = Statement(
    update(GRANTS)
    .where(
        GRANTS.c.tenant == bindparam("of_tenant"),
        GRANTS.c.client_id == bindparam("of_client_id"),
        GRANT_OF_A_USER,
        GRANTS.c.ended_at.is_(None),
    )
    .values(ended_at=bindparam("at"))
)
_END_OF_ALL_USERS = Statement(
    update(GRANTS)
    .where(GRANTS.c.tenant == bindparam("of_tenant"), GRANT_OF_A_USER, GRANTS.c.ended_at.is_(None))
    .values(ended_at=bindparam("at"))
)
_PROLONG = Statement(
    update(GRANTS)
    .where(
        GRANTS.c.tenant == bindparam("of_tenant"),
        GRANTS.c.grant_id == bindparam("of_grant_id"),
        GRANTS.c.ended_at.is_(None),
    )
    .values(expires_at=bindparam("until"))
)
_OF_USER = Statement(
    select(*_SELECTED)
    .where(_HERE, GRANTS.c.user_id == bindparam("user_id"), GRANTS.c.grant_id > bindparam("after"))
    .order_by(GRANTS.c.grant_id)
    .limit(bindparam("limit"))
)


def _standing(*conditions: ColumnElement[bool]) -> Statement:
    return Statement(
        select(*_SELECTED).where(_HERE, *conditions, GRANTS.c.ended_at.is_(None)).order_by(GRANTS.c.grant_id)
    )


_STANDING_OF_USER = _standing(GRANTS.c.user_id == bindparam("user_id"))
_STANDING_OF_USER_AND_CLIENT = _standing(
    GRANTS.c.user_id == bindparam("user_id"), GRANTS.c.client_id == bindparam("client_id")
)
_CLIENTS_OF_USER = Statement(
    select(GRANTS.c.client_id).where(_HERE, GRANTS.c.user_id == bindparam("user_id")).distinct()
)
_OF_SESSION = lookup(GRANTS, _COLUMNS, "tenant", "session_id")
_STANDING_OF_SESSION = _standing(GRANTS.c.session_id == bindparam("session_id"))
_SCOPES = decoder(dict[str, tuple[str, ...]])


def _from_row(row: Row) -> Grant:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["scopes"] = _SCOPES.decode(values["scopes"]) if values["scopes"] != "{}" else {}
    return Grant(**values)


class SqlGrants:
    """The grants. A write of a client's standing grant raises the registry position, because it is cached there."""

    def __init__(self, connection: Connection, ledger: Ledger) -> None:
        self._connection = connection
        self._ledger = ledger

    async def get(self, grant_id: str, *, tenant: str = TENANT) -> Grant | None:
        row = await self._connection.one(_GET, {"tenant": tenant, "grant_id": grant_id})
        return _from_row(row) if row else None

    async def of_user(self, user_id: str, *, after: str = "", limit: int = 100, tenant: str = TENANT) -> list[Grant]:
        """All of the user's grants, ended ones too, ordered by id, from the first one above ``after``."""
        return await self._all(_OF_USER, {"tenant": tenant, "user_id": user_id, "after": after, "limit": limit})

    async def standing_of_user(
        self, user_id: str, client_id: str | None = None, *, tenant: str = TENANT
    ) -> list[Grant]:
        """The user's grants that were not ended, at one client or at all; some may have expired."""
        if client_id is None:
            return await self._all(_STANDING_OF_USER, {"tenant": tenant, "user_id": user_id})
        named = {"tenant": tenant, "user_id": user_id, "client_id": client_id}
        return await self._all(_STANDING_OF_USER_AND_CLIENT, named)

    async def standing_of_session(self, session_id: str, *, tenant: str = TENANT) -> list[Grant]:
        """The grants given in a session that were not ended."""
        return await self._all(_STANDING_OF_SESSION, {"tenant": tenant, "session_id": session_id})

    async def of_session(self, session_id: str, *, tenant: str = TENANT) -> list[Grant]:
        """All grants given in a session, ended ones too."""
        return await self._all(_OF_SESSION, {"tenant": tenant, "session_id": session_id})

    async def clients_of_user(self, user_id: str, *, tenant: str = TENANT) -> set[str]:
        """The clients that have, or had until their rows expire, a grant of the user."""
        rows = await self._connection.all(_CLIENTS_OF_USER, {"tenant": tenant, "user_id": user_id})
        return {row[0] for row in rows}

    async def _all(self, statement: Statement, parameters: dict[str, Any]) -> list[Grant]:
        return [_from_row(row) for row in await self._connection.all(statement, parameters)]

    async def add(self, grant: Grant) -> None:
        row = {name: getattr(grant, name) for name in _COLUMNS} | {"scopes": to_json(grant.scopes)}
        if not await self._connection.run(_ADD, row):
            raise ConfigurationError(f"A grant {grant.grant_id!r} exists; give the new one its own id.")
        if not grant.user_id:
            self._ledger.registry_changed(grant.tenant)

    async def prolong(self, grant_id: str, until: int, *, tenant: str = TENANT) -> None:
        """Give a user's grant that stands another end, in seconds since the epoch."""
        await self._connection.run(_PROLONG, {"of_tenant": tenant, "of_grant_id": grant_id, "until": until})

    async def end(self, grant_id: str, at: int, *, tenant: str = TENANT) -> bool:
        """Whether the grant stood until now."""
        row = await self._connection.one(_END, {"of_tenant": tenant, "of_grant_id": grant_id, "at": at})
        if row is not None and not row[0]:
            self._ledger.registry_changed(tenant)
        return row is not None

    async def end_of_users(self, client_id: str, at: int, *, tenant: str = TENANT) -> int:
        """End all that users allowed this client; its own standing grant stays; how many stood until now."""
        return await self._connection.run(_END_OF_USERS, {"of_tenant": tenant, "of_client_id": client_id, "at": at})

    async def end_of_all_users(self, at: int, *, tenant: str = TENANT) -> int:
        """End all that users allowed any client; how many stood until now. The clients' own standing grants stay."""
        return await self._connection.run(_END_OF_ALL_USERS, {"of_tenant": tenant, "at": at})
