"""Consents: statements and repository."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from ostiary.model.consent import Consent
from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection, Row
from ostiary.storage.json_columns import decoder, to_json
from ostiary.storage.schema import CONSENTS
from ostiary.storage.statements import Statement, lookup

_COLUMNS = tuple(Consent.__dataclass_fields__)
_OF_USER = lookup(CONSENTS, _COLUMNS, "tenant", "user_id")
_OF_CLIENT = lookup(CONSENTS, _COLUMNS, "tenant", "user_id", "client_id")
_VALUES: dict[str, Any] = {name: bindparam(name) for name in _COLUMNS}
_KEY = [CONSENTS.c.tenant, CONSENTS.c.user_id, CONSENTS.c.client_id, CONSENTS.c.resource]
_CHANGED: dict[str, Any] = {"scopes": bindparam("scopes"), "updated_at": bindparam("updated_at")}
_PUT = Statement(
    sqlite_insert(CONSENTS).values(_VALUES).on_conflict_do_update(index_elements=_KEY, set_=_CHANGED),
    postgresql=postgresql_insert(CONSENTS).values(_VALUES).on_conflict_do_update(index_elements=_KEY, set_=_CHANGED),
)
_REMOVE = Statement(
    delete(CONSENTS).where(
        CONSENTS.c.tenant == bindparam("of_tenant"),
        CONSENTS.c.user_id == bindparam("of_user_id"),
        CONSENTS.c.client_id == bindparam("of_client_id"),
    )
)
_SCOPES = decoder(tuple[str, ...])


def _from_row(row: Row) -> Consent:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["scopes"] = _SCOPES.decode(values["scopes"])
    return Consent(**values)


class SqlConsents:
    """What users have allowed which applications."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def of_user(self, user_id: str, client_id: str | None = None, *, tenant: str = TENANT) -> list[Consent]:
        """The user's consents, to one client or to all, by client and resource."""
        named = {"tenant": tenant, "user_id": user_id}
        if client_id is None:
            rows = await self._connection.all(_OF_USER, named)
        else:
            rows = await self._connection.all(_OF_CLIENT, named | {"client_id": client_id})
        return sorted(map(_from_row, rows), key=lambda consent: (consent.client_id, consent.resource))

    async def put(self, consent: Consent) -> None:
        """Write it; one for the same user, client and resource gets the new scopes."""
        row = {name: getattr(consent, name) for name in _COLUMNS} | {"scopes": to_json(consent.scopes)}
        await self._connection.run(_PUT, row)

    async def remove(self, user_id: str, client_id: str, *, tenant: str = TENANT) -> int:
        """Forget what the user allowed the client; how many consents."""
        row = {"of_tenant": tenant, "of_user_id": user_id, "of_client_id": client_id}
        return await self._connection.run(_REMOVE, row)
