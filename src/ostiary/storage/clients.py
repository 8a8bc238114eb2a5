"""Clients: statements and repository."""

from __future__ import annotations

from typing import Any

from ostiary.errors import ConfigurationError
from ostiary.model.client import Client
from ostiary.model.client_login import ClientLogin
from ostiary.model.mutual_tls import MutualTls
from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection, Row
from ostiary.storage.json_columns import decoder, to_json
from ostiary.storage.ledger import Ledger
from ostiary.storage.schema import ACTIVE_APPLICATION, CLIENTS, STATIC_CLIENT
from ostiary.storage.statements import Statement, addition, lookup, page, replacement

_COLUMNS = tuple(Client.__dataclass_fields__)
_GET = lookup(CLIENTS, _COLUMNS, "tenant", "client_id")
_BY_SPIFFE_ID = lookup(CLIENTS, _COLUMNS, "tenant", "spiffe_id")
_ADD = addition(CLIENTS)
_REPLACE = replacement(CLIENTS, "tenant", "client_id")
_LIST = page(CLIENTS, _COLUMNS, "client_id")
_STATIC = page(CLIENTS, _COLUMNS, "client_id", STATIC_CLIENT)
_APPLICATIONS = page(CLIENTS, _COLUMNS, "client_id", ACTIVE_APPLICATION)
_GRANT_TYPES = decoder(tuple[str, ...])
_SCOPES = decoder(dict[str, tuple[str, ...]])
_LOGIN = decoder(ClientLogin)
_MUTUAL_TLS = decoder(MutualTls)


def _from_row(row: Row) -> Client:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["grant_types"] = _GRANT_TYPES.decode(values["grant_types"])
    values["scopes"] = _SCOPES.decode(values["scopes"])
    values["may_register_keys"] = bool(values["may_register_keys"])
    if values["login"] is not None:
        values["login"] = _LOGIN.decode(values["login"])
    values["mutual_tls"] = _MUTUAL_TLS.decode(values["mutual_tls"])
    return Client(**values)


def _to_row(client: Client) -> dict[str, Any]:
    values = {name: getattr(client, name) for name in _COLUMNS}
    login = None if client.login is None else to_json(client.login)
    return values | {
        "grant_types": to_json(client.grant_types),
        "scopes": to_json(client.scopes),
        "login": login,
        "mutual_tls": to_json(client.mutual_tls),
    }


class SqlClients:
    """The registered clients; every write raises the registry position."""

    def __init__(self, connection: Connection, ledger: Ledger) -> None:
        self._connection = connection
        self._ledger = ledger

    async def get(self, client_id: str, *, tenant: str = TENANT) -> Client | None:
        row = await self._connection.one(_GET, {"tenant": tenant, "client_id": client_id})
        return _from_row(row) if row else None

    async def by_spiffe_id(self, spiffe_id: str, *, tenant: str = TENANT) -> Client | None:
        """The client that is this workload."""
        row = await self._connection.one(_BY_SPIFFE_ID, {"tenant": tenant, "spiffe_id": spiffe_id})
        return _from_row(row) if row else None

    async def _page(self, statement: Statement, after: str, limit: int, tenant: str) -> list[Client]:
        rows = await self._connection.all(statement, {"tenant": tenant, "after": after, "limit": limit})
        return [_from_row(row) for row in rows]

    async def static(self, *, after: str = "", limit: int = 100, tenant: str = TENANT) -> list[Client]:
        """Those that stand, or stood, in ``ostiary.toml``, in the order of ``list``; no other is read."""
        return await self._page(_STATIC, after, limit, tenant)

    async def applications(self, *, after: str = "", limit: int = 100, tenant: str = TENANT) -> list[Client]:
        """The active ones that are applications with users, in the order of ``list``; no other is read."""
        return await self._page(_APPLICATIONS, after, limit, tenant)

    async def list(self, *, after: str = "", limit: int = 100, tenant: str = TENANT) -> list[Client]:
        """Ordered by client_id, from the first one above ``after``."""
        return await self._page(_LIST, after, limit, tenant)

    async def add(self, client: Client) -> None:
        await self._check_spiffe_id(client)
        if not await self._connection.run(_ADD, _to_row(client)):
            raise ConfigurationError(
                f"The client id {client.client_id!r} is taken; choose another one, or change the client that has it."
            )
        self._ledger.registry_changed(client.tenant)

    async def replace(self, client: Client) -> None:
        await self._check_spiffe_id(client)
        row = _to_row(client)
        row |= {"of_tenant": row.pop("tenant"), "of_client_id": row.pop("client_id")}
        if not await self._connection.run(_REPLACE, row):
            raise ConfigurationError(f"There is no client {client.client_id!r}; create it first.")
        self._ledger.registry_changed(client.tenant)

    async def _check_spiffe_id(self, client: Client) -> None:
        if client.spiffe_id is None:
            return
        other = await self.by_spiffe_id(client.spiffe_id, tenant=client.tenant)
        if other is not None and other.client_id != client.client_id:
            raise ConfigurationError(
                f"{client.spiffe_id} is the SPIFFE ID of the client {other.client_id!r}: give each client its own."
            )
