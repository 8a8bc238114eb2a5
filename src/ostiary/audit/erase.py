"""Erases personal data from audit rows; the rows, their salted digests and the chain over them stay."""

from __future__ import annotations

from collections.abc import Sequence

from ostiary.audit import tags
from ostiary.model.audit_row import AuditRow
from ostiary.model.event import AuditEvent
from ostiary.storage.base import Storage

_BATCH = 100

Cursor = tuple[int, str, int]


async def erase(
    storage: Storage,
    *,
    by: str,
    now: int,
    actor: str | None = None,
    target: str | None = None,
    trace_id: str | None = None,
) -> int:
    """Erase the personal data of every row that matches all that is given; how many rows had some.

    by: who erases, for the event that records it; now: seconds since the epoch. Raises Unavailable, and ValueError when
    nothing is given that names the rows.
    """
    if actor is None and target is None and trace_id is None:
        raise ValueError("name the rows by actor, target or trace id")
    erased = 0
    after: Cursor | None = None
    while True:
        async with storage.read() as work:
            rows = await work.audit.query(actor=actor, target=target, trace_id=trace_id, after=after, limit=_BATCH)
        if not rows:
            return erased
        after = (rows[-1].at, rows[-1].writer, rows[-1].number)
        bearing = [row for row in rows if row.personal is not None]
        if bearing:
            await _erase(storage, bearing, by, now)
            erased += len(bearing)


async def _erase(storage: Storage, rows: Sequence[AuditRow], by: str, now: int) -> None:
    async with storage.write() as work:
        for row in rows:
            await work.audit.erase_personal(row.writer, row.number)
        # The record names the rows, so that `verify` can tell an erasure from a theft of data; never what was erased.
        names = " ".join(f"{row.writer}:{row.number}" for row in rows)
        event = AuditEvent(tags.AUDIT_ERASED, "done", now * 1000, by, f"{len(rows)} rows", details={"rows": names})
        await work.audit.append(event)
