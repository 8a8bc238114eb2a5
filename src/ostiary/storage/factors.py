"""Factors: statements and repository."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete, update

from ostiary.errors import ConfigurationError
from ostiary.model.factor import Factor, FactorKind
from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection, Row
from ostiary.storage.json_columns import decoder, to_json
from ostiary.storage.schema import FACTORS
from ostiary.storage.statements import Statement, addition, lookup

_COLUMNS = tuple(Factor.__dataclass_fields__)
_GET = lookup(FACTORS, _COLUMNS, "tenant", "factor_id")
_OF_USER = lookup(FACTORS, _COLUMNS, "tenant", "user_id")
_BY_LOOKUP = lookup(FACTORS, _COLUMNS, "tenant", "kind", "lookup")
_ADD = addition(FACTORS)
_THIS = (FACTORS.c.tenant == bindparam("of_tenant"), FACTORS.c.factor_id == bindparam("of_factor_id"))
_REMOVE = Statement(delete(FACTORS).where(*_THIS))
_SET_SECRET = Statement(update(FACTORS).where(*_THIS).values(secret=bindparam("secret")))
_SET_DETAILS = Statement(update(FACTORS).where(*_THIS).values(details=bindparam("details")))
_RENAME = Statement(update(FACTORS).where(*_THIS).values(name=bindparam("name")))
_TOUCH = Statement(update(FACTORS).where(*_THIS).values(last_used_at=bindparam("at")))
# Check and mark in one statement: of two that present the same step or count, one wins.
_ADVANCE = Statement(
    update(FACTORS)
    .where(*_THIS, FACTORS.c.counter < bindparam("to"))
    .values(counter=bindparam("to"), last_used_at=bindparam("at"))
)
_DETAILS = decoder(dict[str, object])


def _from_row(row: Row) -> Factor:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["details"] = _DETAILS.decode(values["details"])
    return Factor(**values)


class SqlFactors:
    """What users can prove themselves by."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, factor_id: str, *, tenant: str = TENANT) -> Factor | None:
        row = await self._connection.one(_GET, {"tenant": tenant, "factor_id": factor_id})
        return _from_row(row) if row else None

    async def of_user(self, user_id: str, *, tenant: str = TENANT) -> list[Factor]:
        """All of the user's factors, the oldest first."""
        rows = await self._connection.all(_OF_USER, {"tenant": tenant, "user_id": user_id})
        return sorted(map(_from_row, rows), key=lambda factor: (factor.created_at, factor.factor_id))

    async def by_lookup(self, kind: FactorKind, lookup: str, *, tenant: str = TENANT) -> Factor | None:
        row = await self._connection.one(_BY_LOOKUP, {"tenant": tenant, "kind": kind, "lookup": lookup})
        return _from_row(row) if row else None

    async def add(self, factor: Factor) -> None:
        row: dict[str, Any] = {name: getattr(factor, name) for name in _COLUMNS} | {"details": to_json(factor.details)}
        if not await self._connection.run(_ADD, row):
            raise ConfigurationError(f"This {factor.kind} is registered already; remove it where it stands first.")

    async def remove(self, factor_id: str, *, tenant: str = TENANT) -> bool:
        """Whether it was there until now; atomic, so a recovery code is used by removing it."""
        return await self._connection.run(_REMOVE, {"of_tenant": tenant, "of_factor_id": factor_id}) > 0

    async def advance(self, factor_id: str, *, to: int, at: int, tenant: str = TENANT) -> bool:
        """Raise the counter; False if it stands there or higher: the step or count was used before. Atomic."""
        row = {"of_tenant": tenant, "of_factor_id": factor_id, "to": to, "at": at}
        return await self._connection.run(_ADVANCE, row) > 0

    async def set_secret(self, factor_id: str, secret: bytes, *, tenant: str = TENANT) -> None:
        await self._connection.run(_SET_SECRET, {"of_tenant": tenant, "of_factor_id": factor_id, "secret": secret})

    async def set_details(self, factor_id: str, details: dict[str, object], *, tenant: str = TENANT) -> None:
        row = {"of_tenant": tenant, "of_factor_id": factor_id, "details": to_json(details)}
        await self._connection.run(_SET_DETAILS, row)

    async def rename(self, factor_id: str, name: str, *, tenant: str = TENANT) -> None:
        await self._connection.run(_RENAME, {"of_tenant": tenant, "of_factor_id": factor_id, "name": name})

    async def touch(self, factor_id: str, at: int, *, tenant: str = TENANT) -> None:
        await self._connection.run(_TOUCH, {"of_tenant": tenant, "of_factor_id": factor_id, "at": at})
