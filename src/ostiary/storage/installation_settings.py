"""Values of the installation, such as its id: statements and repository."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection
from ostiary.storage.schema import SETTINGS
from ostiary.storage.statements import Statement, lookup

_ROW: dict[str, Any] = {name: bindparam(name) for name in ("tenant", "name", "value")}
_ON = [SETTINGS.c.tenant, SETTINGS.c.name]
_GET = lookup(SETTINGS, ("value",), "tenant", "name")
_SET = Statement(
    sqlite_insert(SETTINGS).values(_ROW).on_conflict_do_update(index_elements=_ON, set_={"value": bindparam("value")}),
    postgresql=postgresql_insert(SETTINGS)
    .values(_ROW)
    .on_conflict_do_update(index_elements=_ON, set_={"value": bindparam("value")}),
)


class SqlSettings:
    """Named values of the installation."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, name: str) -> str | None:
        row = await self._connection.one(_GET, {"tenant": TENANT, "name": name})
        return row[0] if row else None

    async def put(self, name: str, value: str) -> None:
        await self._connection.run(_SET, {"tenant": TENANT, "name": name, "value": value})
