"""Retention: drops the rows of whole signed segments, from the beginning of the chain.

Their signed heads stay until ``folding`` puts one checkpoint in their place.
"""

from __future__ import annotations

from dataclasses import dataclass

from ostiary.audit import tags
from ostiary.errors import Unavailable
from ostiary.model.audit_row import AuditSegment
from ostiary.model.event import AuditEvent
from ostiary.storage.base import Storage

_BATCH = 500
_ROWS = 5000  # dropped in one transaction, which is everybody's: a segment more or less


@dataclass(frozen=True, slots=True)
class Dropped:
    """segments, rows: how many were dropped; first, last: their numbers, 0 when there was nothing to drop."""

    segments: int = 0
    rows: int = 0
    first: int = 0
    last: int = 0


async def drop_older(storage: Storage, *, before: int, now: int, actor: str) -> Dropped:
    """Drop the rows of the segments that were sealed before ``before`` (seconds since the epoch).

    Only segments from the beginning of the chain are dropped, and each batch leaves an event in the same unit of work,
    without which ``verify`` would call the rows missing. Raises Unavailable.
    """
    total = Dropped()
    after = 0
    while True:
        old, after, more = await _old_segments(storage, after, before)
        if old and (rows := await _drop(storage, old, now, actor)) is not None:
            total = Dropped(
                total.segments + len(old), total.rows + rows, total.first or old[0].segment, old[-1].segment
            )
        if not more:
            return total


async def _old_segments(storage: Storage, after: int, before: int) -> tuple[list[AuditSegment], int, bool]:
    """The next old segments with rows, the segment to go on after, and whether there may be more."""
    async with storage.read() as work:
        segments = await work.audit.segments(after=after, limit=_BATCH)
    old: list[AuditSegment] = []
    rows = 0
    for segment in segments:
        if rows >= _ROWS:
            return old, after, True
        # The order of the chain, not the clock, decides: what follows a segment that must stay, stays.
        if segment.sealed_at >= before:
            return old, after, False
        if segment.dropped_at is None:
            old.append(segment)
            rows += segment.row_count
        after = segment.segment
    return old, after, len(segments) == _BATCH


async def _drop(storage: Storage, segments: list[AuditSegment], now: int, actor: str) -> int | None:
    """How many rows were dropped; None if another process was faster."""
    first, last = segments[0].segment, segments[-1].segment
    async with storage.write() as work:
        if not await work.alone("audit-retention"):
            raise Unavailable("audit", "another process drops rows at this moment")
        standing = await work.audit.segments(after=first - 1, limit=1)
        if not standing or standing[0].segment != first or standing[0].dropped_at is not None:
            return None
        rows = 0
        for segment in segments:
            rows += await work.audit.drop_rows(segment.segment, at=now)
        details = {"first": str(first), "last": str(last), "rows": str(rows)}
        event = AuditEvent(tags.AUDIT_DROPPED, "done", now * 1000, actor, f"segments {first}-{last}", details=details)
        await work.audit.append(event)
    return rows
