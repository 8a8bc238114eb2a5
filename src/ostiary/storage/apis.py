"""APIs: statements and repository."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select

from ostiary.errors import ConfigurationError
from ostiary.model.api import Api
from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection, Row
from ostiary.storage.json_columns import decoder, to_json
from ostiary.storage.ledger import Ledger
from ostiary.storage.schema import APIS, STATIC_API
from ostiary.storage.statements import Statement, addition, lookup, page, replacement

_COLUMNS = tuple(Api.__dataclass_fields__)
_SELECTED = [APIS.c[name] for name in _COLUMNS]
_GET = lookup(APIS, _COLUMNS, "tenant", "identifier")
_BY_CLIENT = Statement(
    select(*_SELECTED)
    .where(APIS.c.tenant == bindparam("tenant"), APIS.c.client_id == bindparam("client_id"))
    .order_by(APIS.c.identifier)
)
_LIST = page(APIS, _COLUMNS, "identifier")
_STATIC = page(APIS, _COLUMNS, "identifier", STATIC_API)
_ADD = addition(APIS)
_REPLACE = replacement(APIS, "tenant", "identifier")
_SCOPES = decoder(dict[str, str])


def _from_row(row: Row) -> Api:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["scopes"] = _SCOPES.decode(values["scopes"])
    values["status_list"] = bool(values["status_list"])  # SQLite has numbers alone
    return Api(**values)


def _to_row(api: Api) -> dict[str, Any]:
    return {name: getattr(api, name) for name in _COLUMNS} | {"scopes": to_json(api.scopes)}


class SqlApis:
    """The registered APIs; every write raises the registry position."""

    def __init__(self, connection: Connection, ledger: Ledger) -> None:
        self._connection = connection
        self._ledger = ledger

    async def get(self, identifier: str, *, tenant: str = TENANT) -> Api | None:
        row = await self._connection.one(_GET, {"tenant": tenant, "identifier": identifier})
        return _from_row(row) if row else None

    async def by_client(self, client_id: str, *, tenant: str = TENANT) -> list[Api]:
        """The APIs whose own identity this client is."""
        rows = await self._connection.all(_BY_CLIENT, {"tenant": tenant, "client_id": client_id})
        return [_from_row(row) for row in rows]

    async def _page(self, statement: Statement, after: str, limit: int, tenant: str) -> list[Api]:
        rows = await self._connection.all(statement, {"tenant": tenant, "after": after, "limit": limit})
        return [_from_row(row) for row in rows]

    async def static(self, *, after: str = "", limit: int = 100, tenant: str = TENANT) -> list[Api]:
        """Those that stand, or stood, in ``ostiary.toml``, in the order of ``list``; no other is read."""
        return await self._page(_STATIC, after, limit, tenant)

    async def list(self, *, after: str = "", limit: int = 100, tenant: str = TENANT) -> list[Api]:
        """Ordered by identifier, from the first one above ``after``."""
        return await self._page(_LIST, after, limit, tenant)

    async def add(self, api: Api) -> None:
        if not await self._connection.run(_ADD, _to_row(api)):
            raise ConfigurationError(
                f"An API with the identifier {api.identifier!r} exists; choose another identifier, or change that API."
            )
        self._ledger.registry_changed(api.tenant)

    async def replace(self, api: Api) -> None:
        row = _to_row(api)
        row |= {"of_tenant": row.pop("tenant"), "of_identifier": row.pop("identifier")}
        if not await self._connection.run(_REPLACE, row):
            raise ConfigurationError(f"There is no API {api.identifier!r}; create it first.")
        self._ledger.registry_changed(api.tenant)
