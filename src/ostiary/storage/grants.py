"""Grants: statements and repository."""

from __future__ import annotations

from sqlalchemy import bindparam, update

from ostiary.errors import ConfigurationError
from ostiary.model.grant import Grant
from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection
from ostiary.storage.ledger import Ledger
from ostiary.storage.schema import GRANTS
from ostiary.storage.statements import Statement, addition, lookup

_COLUMNS = tuple(Grant.__dataclass_fields__)
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
)


class SqlGrants:
    """The grants; every write raises the registry position."""

    def __init__(self, connection: Connection, ledger: Ledger) -> None:
        self._connection = connection
        self._ledger = ledger

    async def get(self, grant_id: str, *, tenant: str = TENANT) -> Grant | None:
        row = await self._connection.one(_GET, {"tenant": tenant, "grant_id": grant_id})
        return Grant(*row) if row else None

    async def add(self, grant: Grant) -> None:
        if not await self._connection.run(_ADD, {name: getattr(grant, name) for name in _COLUMNS}):
            raise ConfigurationError(f"A grant {grant.grant_id!r} exists; give the new one its own id.")
        self._ledger.registry_changed(grant.tenant)

    async def end(self, grant_id: str, at: int, *, tenant: str = TENANT) -> bool:
        """Whether the grant stood until now."""
        ended = await self._connection.run(_END, {"of_tenant": tenant, "of_grant_id": grant_id, "at": at}) > 0
        if ended:
            self._ledger.registry_changed(tenant)
        return ended
