"""The audit log: gapless numbers of a writer, erasable personal data, sealed segments.

Rows are never changed but for two things: the seal (segment and place, once) and the erasure of personal data, of
which only the salted digest stays.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import bindparam, delete, func, or_, select, tuple_, update

from ostiary.errors import Unavailable
from ostiary.model.audit_row import AuditRow, AuditSegment
from ostiary.model.event import AuditEvent
from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection, Row
from ostiary.storage.json_columns import decoder, to_json
from ostiary.storage.schema import AUDIT_EVENTS, AUDIT_SEGMENTS
from ostiary.storage.statements import Statement, addition, insertion, lookup, page

_EVENTS = AUDIT_EVENTS.c
_COLUMNS = tuple(AuditRow.__struct_fields__)
_DETAILS, _PERSONAL = _COLUMNS.index("details"), _COLUMNS.index("personal")
_SELECTED = [_EVENTS[name] for name in _COLUMNS]
_SEGMENT_COLUMNS = tuple(AuditSegment.__dataclass_fields__)
_SEGMENTS_SELECTED = [AUDIT_SEGMENTS.c[name] for name in _SEGMENT_COLUMNS]
_HERE = _EVENTS.tenant == bindparam("tenant")
_TIME_ORDER = (_EVENTS.at, _EVENTS.writer, _EVENTS.number)
_OF_WRITER = (_EVENTS.tenant == bindparam("of_tenant"), _EVENTS.writer == bindparam("of_writer"))
_THIS = (*_OF_WRITER, _EVENTS.number == bindparam("of_number"))

_ADD = insertion(AUDIT_EVENTS)
_UNSEALED = Statement(
    select(*_SELECTED).where(_HERE, _EVENTS.segment.is_(None)).order_by(*_TIME_ORDER).limit(bindparam("limit"))
)
_SEAL_RUN = Statement(
    update(AUDIT_EVENTS)
    .where(*_OF_WRITER, _EVENTS.number.between(bindparam("first"), bindparam("last")), _EVENTS.segment.is_(None))
    .values(segment=bindparam("segment"), place=_EVENTS.number + bindparam("shift"))
)
_ADD_SEGMENT = addition(AUDIT_SEGMENTS)
_SEGMENTS = page(AUDIT_SEGMENTS, _SEGMENT_COLUMNS, "segment")
_LAST_SEGMENT = Statement(
    select(*_SEGMENTS_SELECTED)
    .where(AUDIT_SEGMENTS.c.tenant == bindparam("tenant"))
    .order_by(AUDIT_SEGMENTS.c.segment.desc())
    .limit(1)
)
_ROWS_OF = Statement(select(*_SELECTED).where(_HERE, _EVENTS.segment == bindparam("segment")).order_by(_EVENTS.place))
_DROP_ROWS = Statement(delete(AUDIT_EVENTS).where(_HERE, _EVENTS.segment == bindparam("segment")))
_DROP_SEGMENT = Statement(
    update(AUDIT_SEGMENTS)
    .where(AUDIT_SEGMENTS.c.tenant == bindparam("of_tenant"), AUDIT_SEGMENTS.c.segment == bindparam("of_segment"))
    .values(dropped_at=bindparam("at"))
)
_FOLD = Statement(
    delete(AUDIT_SEGMENTS).where(
        AUDIT_SEGMENTS.c.tenant == bindparam("tenant"), AUDIT_SEGMENTS.c.segment <= bindparam("last")
    )
)
_STRAYS = Statement(
    select(_EVENTS.writer, _EVENTS.number, _EVENTS.segment)
    .where(_HERE, or_(_EVENTS.segment < bindparam("first"), _EVENTS.segment > bindparam("last")))
    .order_by(_EVENTS.segment, _EVENTS.writer, _EVENTS.number)
    .limit(100)
)
_ERASE = Statement(update(AUDIT_EVENTS).where(*_THIS).values(personal=None, personal_salt=None))
_WRITERS = Statement(
    select(_EVENTS.writer, func.max(_EVENTS.number)).where(_HERE).group_by(_EVENTS.writer).order_by(_EVENTS.writer)
)
_GET = lookup(AUDIT_EVENTS, _COLUMNS, "tenant", "writer", "number")
_FACTS = decoder(dict[str, str])

Cursor = tuple[int, str, int]


def _search(filters: tuple[str, ...]) -> Statement:
    beyond = tuple_(*_TIME_ORDER) > tuple_(bindparam("at"), bindparam("writer"), bindparam("number"))
    chosen = select(*_SELECTED).where(_HERE, beyond, *(_EVENTS[name] == bindparam(name) for name in filters))
    return Statement(chosen.order_by(*_TIME_ORDER).limit(bindparam("limit")))


_SEARCHES: dict[tuple[str, ...], Statement] = {}


def personal_digest(salt: bytes, personal: dict[str, str]) -> bytes:
    """SHA-256(salt || JSON with sorted keys and no white space): what the chain holds of personal data."""
    return sha256(salt + to_json(personal).encode()).digest()


def _from_row(row: Row) -> AuditRow:
    values = list(row)
    values[_DETAILS] = _FACTS.decode(values[_DETAILS])
    if values[_PERSONAL] is not None:
        values[_PERSONAL] = _FACTS.decode(values[_PERSONAL])
    return AuditRow(*values)


def _runs(rows: Sequence[tuple[str, int]]) -> list[tuple[str, int, int, int]]:
    """The rows, each (writer, number), as runs of consecutive numbers: (writer, first, last, place of the first).

    What one writer wrote stands nearly always together, so that one statement gives hundreds of rows their places.
    """
    runs: list[tuple[str, int, int, int]] = []
    for place, (writer, number) in enumerate(rows):
        if runs and runs[-1][0] == writer and runs[-1][2] == number - 1:
            runs[-1] = (writer, runs[-1][1], number, runs[-1][3])
        else:
            runs.append((writer, number, number, place))
    return runs


class AuditNumbers:
    """Who writes, and the last number that it gave; numbers go back when what they numbered is rolled back."""

    __slots__ = ("last", "writer")

    def __init__(self) -> None:
        self.writer = secrets.token_hex(8)
        self.last = 0


class SqlAudit:
    """The audit log as one writer sees it."""

    def __init__(self, connection: Connection, numbers: AuditNumbers) -> None:
        self._connection = connection
        self._numbers = numbers

    async def append(self, event: AuditEvent) -> None:
        """Write an event under this writer's next number."""
        numbers = self._numbers
        row: dict[str, Any] = {
            "tenant": event.tenant,
            "writer": numbers.writer,
            "number": numbers.last + 1,
            "at": event.at,
            "tag": event.tag,
            "outcome": event.outcome,
            "actor": event.actor,
            "target": event.target,
            "key_thumbprint": event.key_thumbprint,
            "reason": event.reason,
            "trace_id": event.trace_id,
            "details": to_json(event.details) if event.details else "{}",
            "personal": None,
            "personal_salt": None,
            "personal_digest": None,
            "segment": None,
            "place": None,
        }
        if event.personal:
            salt = secrets.token_bytes(16)
            digest = personal_digest(salt, event.personal)
            row |= {"personal": to_json(event.personal), "personal_salt": salt, "personal_digest": digest}
        await self._connection.later(_ADD, row)
        numbers.last += 1

    async def get(self, writer: str, number: int, *, tenant: str = TENANT) -> AuditRow | None:
        row = await self._connection.one(_GET, {"tenant": tenant, "writer": writer, "number": number})
        return _from_row(row) if row else None

    async def unsealed(self, limit: int, *, tenant: str = TENANT) -> list[AuditRow]:
        """Rows without a segment, ordered by (at, writer, number)."""
        rows = await self._connection.all(_UNSEALED, {"tenant": tenant, "limit": limit})
        return [_from_row(row) for row in rows]

    async def seal(self, segment: AuditSegment, rows: Sequence[tuple[str, int]]) -> None:
        """Write a segment and give its rows, each (writer, number), their places in this order.

        Raises Unavailable if another sealer took the segment or one of the rows; then nothing is written.
        """
        row = {name: getattr(segment, name) for name in _SEGMENT_COLUMNS}
        if not await self._connection.run(_ADD_SEGMENT, row):
            raise Unavailable("audit", f"segment {segment.segment} is sealed already")
        of_segment = {"of_tenant": segment.tenant, "segment": segment.segment}
        runs = [
            of_segment | {"of_writer": writer, "first": first, "last": last, "shift": place - first}
            for writer, first, last, place in _runs(rows)
        ]
        if await self._connection.run_for_each(_SEAL_RUN, runs) != len(rows):
            raise Unavailable("audit", f"a row of segment {segment.segment} is missing or sealed already")

    async def segments(self, after: int = 0, limit: int = 1000, *, tenant: str = TENANT) -> list[AuditSegment]:
        """Segments above ``after``, in order."""
        rows = await self._connection.all(_SEGMENTS, {"tenant": tenant, "after": after, "limit": limit})
        return [AuditSegment(*row) for row in rows]

    async def last_segment(self, *, tenant: str = TENANT) -> AuditSegment | None:
        row = await self._connection.one(_LAST_SEGMENT, {"tenant": tenant})
        return AuditSegment(*row) if row else None

    async def rows_of(self, segment: int, *, tenant: str = TENANT) -> list[AuditRow]:
        """The rows of a segment in the order of the chain."""
        rows = await self._connection.all(_ROWS_OF, {"tenant": tenant, "segment": segment})
        return [_from_row(row) for row in rows]

    async def drop_rows(self, segment: int, *, at: int, tenant: str = TENANT) -> int:
        """Delete the rows of a sealed segment and write into it when (seconds); the segment itself stays."""
        dropped = await self._connection.run(_DROP_ROWS, {"tenant": tenant, "segment": segment})
        await self._connection.run(_DROP_SEGMENT, {"of_tenant": tenant, "of_segment": segment, "at": at})
        return dropped

    async def fold(self, last: int, *, tenant: str = TENANT) -> int:
        """Delete the segments up to ``last``; how many."""
        return await self._connection.run(_FOLD, {"tenant": tenant, "last": last})

    async def strays(self, first: int, last: int, *, tenant: str = TENANT) -> list[tuple[str, int, int]]:
        """Rows (writer, number, segment) of segments outside ``first`` to ``last``; at most 100."""
        rows = await self._connection.all(_STRAYS, {"tenant": tenant, "first": first, "last": last})
        return [(row[0], row[1], row[2]) for row in rows]

    async def erase_personal(self, writer: str, number: int, *, tenant: str = TENANT) -> bool:
        """Delete the personal data and the salt of a row; its digest, which the chain holds, stays."""
        row = {"of_tenant": tenant, "of_writer": writer, "of_number": number}
        return await self._connection.run(_ERASE, row) > 0

    async def query(
        self,
        *,
        tag: str | None = None,
        actor: str | None = None,
        target: str | None = None,
        trace_id: str | None = None,
        after: Cursor | None = None,
        limit: int = 100,
        tenant: str = TENANT,
    ) -> list[AuditRow]:
        """Rows that match, ordered by (at, writer, number), from the first one beyond ``after``."""
        wanted = {"tag": tag, "actor": actor, "target": target, "trace_id": trace_id}
        filters = {name: value for name, value in wanted.items() if value is not None}
        at, writer, number = after or (-1, "", 0)
        parameters = filters | {"tenant": tenant, "at": at, "writer": writer, "number": number, "limit": limit}
        names = tuple(filters)
        search = _SEARCHES.get(names) or _SEARCHES.setdefault(names, _search(names))
        return [_from_row(row) for row in await self._connection.all(search, parameters)]

    async def writers(self, *, tenant: str = TENANT) -> list[tuple[str, int]]:
        """Every writer that has rows, with its last number."""
        return [(row[0], row[1]) for row in await self._connection.all(_WRITERS, {"tenant": tenant})]
