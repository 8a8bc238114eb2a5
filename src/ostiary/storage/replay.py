"""Used assertion ids, kept until the assertion cannot be used any more (RFC 7523 section 3); see ``replay.buckets``."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import insert

from ostiary.replay.buckets import COUNT, MAX_LIFE, SHORT_WIDTH, bucket_of, digest_of, live_buckets
from ostiary.storage.base import TENANT, MarksLost
from ostiary.storage.connection import Connection
from ostiary.storage.ledger import Ledger
from ostiary.storage.schema import REPLAY_MARKS
from ostiary.storage.statements import Statement

_PROBES = tuple(f"p{number}" for number in range(COUNT))
_ROW: dict[str, Any] = {name: bindparam(name) for name in ("bucket", "tenant", "digest")}
# Text, because this is the hottest statement: SQLite sorts an IN list into a table of its own first, which doubles its
# cost, and CROSS JOIN keeps the order: each live bucket, then one look into the key.
_ON_SQLITE = f"""
INSERT INTO replay_marks (bucket, tenant, digest) SELECT :bucket, :tenant, :digest WHERE NOT EXISTS (
    SELECT 1 FROM (VALUES {", ".join(f"(:{probe})" for probe in _PROBES)}) AS live CROSS JOIN replay_marks AS mark
    WHERE mark.bucket = live.column1 AND mark.tenant = :tenant AND mark.digest = :digest)
"""  # noqa: S608 - only the names of parameters are put in
_MARK = Statement(text(_ON_SQLITE), postgresql=insert(REPLAY_MARKS).values(_ROW).on_conflict_do_nothing())


class SqlReplay:
    """Check-and-mark in one atomic statement."""

    def __init__(self, connection: Connection, ledger: Ledger, *, shared: bool) -> None:
        self._connection = connection
        self._ledger = ledger
        self._shared = shared
        self._asked_at = -1
        self._probes: dict[str, int] = {}

    async def mark(
        self,
        issuer: str,
        jti: str,
        *,
        expires_at: int,
        now: int,
        usable_from: int | None = None,
        tenant: str = TENANT,
    ) -> bool:
        """Whether this is the first time. ValueError if the mark would have to be kept for more than a day.

        MarksLost if it may have been marked before the present memory begins.
        """
        earliest = expires_at - MAX_LIFE if usable_from is None else usable_from
        since = await self._ledger.marks_since(tenant)
        if earliest <= since:
            raise MarksLost(since - earliest + 1)
        row = {"bucket": bucket_of(expires_at, now), "tenant": tenant, "digest": digest_of(issuer, jti)}
        if not self._shared:
            row |= self._live(now)
        return await self._connection.run(_MARK, row) == 1

    async def lost_before(self, at: int, *, tenant: str = TENANT) -> None:
        """Marks that were made before ``at`` may be lost; it never goes back."""
        await self._ledger.marks_lost_before(at, tenant)

    def _live(self, now: int) -> dict[str, int]:
        present = now // SHORT_WIDTH
        if present != self._asked_at:
            self._probes = dict(zip(_PROBES, live_buckets(now), strict=True))
            self._asked_at = present
        return self._probes
