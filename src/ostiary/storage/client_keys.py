"""The public keys of clients: statements and repository."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, or_, select, update

from ostiary.errors import ConfigurationError
from ostiary.model.client_key import ClientKey, KeyState
from ostiary.storage.base import TENANT
from ostiary.storage.connection import Conflict, Connection, Row
from ostiary.storage.ledger import Ledger
from ostiary.storage.schema import CLIENT_KEYS, KEY_IN_A_CERTIFICATE
from ostiary.storage.statements import Statement, addition, lookup, replacement

_KEYS = CLIENT_KEYS.c
_COLUMNS = tuple(ClientKey.__dataclass_fields__)
_SELECTED = [_KEYS[name] for name in _COLUMNS]
_GET = lookup(CLIENT_KEYS, _COLUMNS, "tenant", "client_id", "kid")
_BY_THUMBPRINT = lookup(CLIENT_KEYS, _COLUMNS, "tenant", "thumbprint")
_OF_CLIENT = Statement(
    select(*_SELECTED)
    .where(_KEYS.tenant == bindparam("tenant"), _KEYS.client_id == bindparam("client_id"))
    .order_by(_KEYS.created_at, _KEYS.kid)
)
_IN_CERTIFICATES = Statement(
    select(*_SELECTED).where(_KEYS.tenant == bindparam("tenant"), KEY_IN_A_CERTIFICATE).order_by(_KEYS.thumbprint)
)
_CHILDREN = (
    select(_KEYS.thumbprint)
    .where(_KEYS.tenant == bindparam("tenant"), _KEYS.parent == bindparam("parent"))
    .cte("family", recursive=True)
)
_PARENT = _CHILDREN.alias("parent_key")
_FAMILY = _CHILDREN.union(
    select(_KEYS.thumbprint).where(_KEYS.tenant == bindparam("tenant"), _KEYS.parent == _PARENT.c.thumbprint)
)
_DESCENDANTS = Statement(
    select(*_SELECTED)
    .where(_KEYS.tenant == bindparam("tenant"), _KEYS.thumbprint.in_(select(_FAMILY.c.thumbprint)))
    .order_by(_KEYS.created_at, _KEYS.kid)
)
_ADD = addition(CLIENT_KEYS)
_REPLACE = replacement(CLIENT_KEYS, "tenant", "thumbprint")
_THIS = (_KEYS.tenant == bindparam("of_tenant"), _KEYS.thumbprint == bindparam("of_thumbprint"))
_SET_STATE = Statement(update(CLIENT_KEYS).where(*_THIS).values(state=bindparam("state")))
_TOUCH = Statement(
    update(CLIENT_KEYS)
    .where(*_THIS, or_(_KEYS.last_used_at.is_(None), _KEYS.last_used_at < bindparam("used_at")))
    .values(last_used_at=bindparam("used_at"))
)


def _to_row(key: ClientKey) -> dict[str, Any]:
    return {name: getattr(key, name) for name in _COLUMNS}


def _from_row(row: Row) -> ClientKey:
    return ClientKey(*row)


class SqlClientKeys:
    """The key store; every write but ``touch`` raises the registry position."""

    def __init__(self, connection: Connection, ledger: Ledger) -> None:
        self._connection = connection
        self._ledger = ledger

    async def get(self, client_id: str, kid: str, *, tenant: str = TENANT) -> ClientKey | None:
        row = await self._connection.one(_GET, {"tenant": tenant, "client_id": client_id, "kid": kid})
        return _from_row(row) if row else None

    async def by_thumbprint(self, thumbprint: str, *, tenant: str = TENANT) -> ClientKey | None:
        row = await self._connection.one(_BY_THUMBPRINT, {"tenant": tenant, "thumbprint": thumbprint})
        return _from_row(row) if row else None

    async def of_client(self, client_id: str, *, tenant: str = TENANT) -> list[ClientKey]:
        """Every key of the client, the oldest first."""
        rows = await self._connection.all(_OF_CLIENT, {"tenant": tenant, "client_id": client_id})
        return [_from_row(row) for row in rows]

    async def in_certificates(self, *, tenant: str = TENANT) -> list[ClientKey]:
        """The active ones of every client that stand in a certificate; some may have expired."""
        return [_from_row(row) for row in await self._connection.all(_IN_CERTIFICATES, {"tenant": tenant})]

    async def descendants(self, thumbprint: str, *, tenant: str = TENANT) -> list[ClientKey]:
        """The keys that this key registered, and those that they registered, without the key itself."""
        rows = await self._connection.all(_DESCENDANTS, {"tenant": tenant, "parent": thumbprint})
        return [_from_row(row) for row in rows]

    async def add(self, key: ClientKey) -> None:
        """ConfigurationError if the key, or another one under the same kid, is registered."""
        if not await self._connection.run(_ADD, _to_row(key)):
            raise await self._taken(key)
        self._ledger.registry_changed(key.tenant)

    async def _taken(self, key: ClientKey) -> ConfigurationError:
        holder = await self.by_thumbprint(key.thumbprint, tenant=key.tenant)
        if holder is not None:
            return ConfigurationError(
                f"This key is registered already: it is key {holder.kid!r} of client {holder.client_id!r}, and a key "
                "belongs to one client; generate a new key."
            )
        return ConfigurationError(
            f"Client {key.client_id!r} has another key with the kid {key.kid!r}; give the new key its own kid."
        )

    async def replace(self, key: ClientKey) -> None:
        row = _to_row(key)
        row |= {"of_tenant": row.pop("tenant"), "of_thumbprint": row.pop("thumbprint")}
        try:
            changed = await self._connection.run(_REPLACE, row)
        except Conflict:
            raise ConfigurationError(f"Client {key.client_id!r} has another key with the kid {key.kid!r}.") from None
        if not changed:
            raise ConfigurationError(f"Client {key.client_id!r} has no key {key.kid!r}; add it first.")
        self._ledger.registry_changed(key.tenant)

    async def set_state(self, thumbprint: str, state: KeyState, *, tenant: str = TENANT) -> bool:
        """Whether there was such a key."""
        row = {"of_tenant": tenant, "of_thumbprint": thumbprint, "state": state}
        changed = await self._connection.run(_SET_STATE, row) > 0
        if changed:
            self._ledger.registry_changed(tenant)
        return changed

    async def touch(self, used: Mapping[str, int], *, tenant: str = TENANT) -> None:
        """Remember when keys were last used (thumbprint -> seconds); an earlier time never overwrites a later one."""
        # In one order everywhere, so that two transactions cannot wait for each other.
        for thumbprint in sorted(used):
            row = {"of_tenant": tenant, "of_thumbprint": thumbprint, "used_at": used[thumbprint]}
            await self._connection.run(_TOUCH, row)
