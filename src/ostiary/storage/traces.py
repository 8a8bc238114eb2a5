"""Traces of refused decisions, kept for a while: statements and repository."""

from __future__ import annotations

from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection
from ostiary.storage.json_columns import decoder, to_json
from ostiary.storage.schema import TRACES
from ostiary.storage.statements import insertion, lookup
from ostiary.trace import TraceRecord

_ADD = insertion(TRACES)
_GET = lookup(TRACES, ("record", "source"), "tenant", "trace_id")
_RECORD = decoder(TraceRecord)


class SqlTraces:
    """Refused decisions, by their unguessable id."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, record: TraceRecord, *, expires_at: int, source: str, tenant: str = TENANT) -> None:
        row = {"tenant": tenant, "trace_id": record.trace_id, "source": source, "expires_at": expires_at}
        await self._connection.later(_ADD, row | {"record": to_json(record)})

    async def get(self, trace_id: str, *, tenant: str = TENANT) -> tuple[TraceRecord, str] | None:
        """The record and who sent it."""
        row = await self._connection.one(_GET, {"tenant": tenant, "trace_id": trace_id})
        return (_RECORD.decode(row[0]), row[1]) if row else None
