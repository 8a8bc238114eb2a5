"""Failed attempts, counted by name within a window: what throttling rests on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, bindparam, case, delete, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection
from ostiary.storage.schema import FAILED_ATTEMPTS
from ostiary.storage.statements import Statement

_ROWS = FAILED_ATTEMPTS.c
_VALUES: dict[str, Any] = {
    "tenant": bindparam("tenant"),
    "name": bindparam("name"),
    "count": 1,
    "expires_at": bindparam("expires_at"),
}
_KEY = [_ROWS.tenant, _ROWS.name]
_OVER = _ROWS.expires_at <= bindparam("now")
_COUNTED: dict[str, Any] = {
    "count": case((_OVER, 1), else_=_ROWS.count + 1),
    "expires_at": case((_OVER, bindparam("expires_at")), else_=_ROWS.expires_at),
}
_NOTE = Statement(
    sqlite_insert(FAILED_ATTEMPTS)
    .values(_VALUES)
    .on_conflict_do_update(index_elements=_KEY, set_=_COUNTED)
    .returning(_ROWS.count),
    postgresql=postgresql_insert(FAILED_ATTEMPTS)
    .values(_VALUES)
    .on_conflict_do_update(index_elements=_KEY, set_=_COUNTED)
    .returning(_ROWS.count),
)
_COUNT = Statement(
    select(_ROWS.count, _ROWS.expires_at).where(
        and_(_ROWS.tenant == bindparam("tenant"), _ROWS.name == bindparam("name"), _ROWS.expires_at > bindparam("now"))
    )
)
_FORGET = Statement(delete(FAILED_ATTEMPTS).where(_ROWS.tenant == bindparam("tenant"), _ROWS.name == bindparam("name")))


class SqlFailedAttempts:
    """Counters with an end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def note(self, name: str, *, now: int, window: int, tenant: str = TENANT) -> int:
        """Count one more; how many in this window, which began with the first. window: seconds. Atomic."""
        row = await self._connection.one(
            _NOTE, {"tenant": tenant, "name": name, "now": now, "expires_at": now + window}
        )
        return int(row[0]) if row else 0

    async def count(self, name: str, *, now: int, tenant: str = TENANT) -> tuple[int, int]:
        """How many, and when the window ends (seconds since the epoch); (0, 0) if there is none."""
        row = await self._connection.one(_COUNT, {"tenant": tenant, "name": name, "now": now})
        return (int(row[0]), int(row[1])) if row else (0, 0)

    async def forget(self, name: str, *, tenant: str = TENANT) -> None:
        await self._connection.run(_FORGET, {"tenant": tenant, "name": name})
