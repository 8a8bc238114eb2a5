"""Used assertion ids, kept until the assertion cannot be used any more (RFC 7523 section 3).

A mark stands in the bucket of time in which it ends, so that marks of one moment stand on few pages of SQLite. The
same id with another expiry stands in another bucket, so every live bucket is asked: marks that live at most
``SHORT_LIFE`` stand in buckets of two minutes, longer ones (up to a day) in buckets of six hours, 12 in all. A bucket
is named by the second at which it ends. A mark is kept until its bucket ends, which is never before its expiry.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import insert

from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection
from ostiary.storage.schema import REPLAY_MARKS
from ostiary.storage.statements import Statement

SHORT_WIDTH = 120
LONG_WIDTH = 21_600
SHORT_LIFE = 480
# The clock may be set back by this many seconds and every live bucket is still among the buckets that are asked.
CLOCK_SLACK = 120
MAX_LIFE = 86_400

SHORT_PROBES = (SHORT_LIFE + CLOCK_SLACK) // SHORT_WIDTH + 1
LONG_PROBES = (MAX_LIFE + CLOCK_SLACK) // LONG_WIDTH + 2
_PROBES = tuple(f"p{number}" for number in range(SHORT_PROBES + LONG_PROBES))
_ROW: dict[str, Any] = {"bucket": bindparam("bucket"), "tenant": bindparam("tenant"), "digest": bindparam("digest")}

# Text, because this is the hottest statement: SQLite sorts an IN list into a table of its own first, which doubles its
# cost, and CROSS JOIN keeps the order: each live bucket, then one look into the key.
_ON_SQLITE = f"""
INSERT INTO replay_marks (bucket, tenant, digest) SELECT :bucket, :tenant, :digest WHERE NOT EXISTS (
    SELECT 1 FROM (VALUES {", ".join(f"(:{probe})" for probe in _PROBES)}) AS live CROSS JOIN replay_marks AS mark
    WHERE mark.bucket = live.column1 AND mark.tenant = :tenant AND mark.digest = :digest)
"""  # noqa: S608 - only the names of parameters are put in
_MARK = Statement(text(_ON_SQLITE), postgresql=insert(REPLAY_MARKS).values(_ROW).on_conflict_do_nothing())


def bucket_of(expires_at: int, now: int) -> int:
    """The end of the bucket in which a mark stands, seconds since the epoch."""
    width = SHORT_WIDTH if expires_at - now <= SHORT_LIFE else LONG_WIDTH
    return -(-expires_at // width) * width


def live_buckets(now: int) -> list[int]:
    """The ends of all buckets in which a live mark can stand."""
    short, long = now // SHORT_WIDTH * SHORT_WIDTH, now // LONG_WIDTH * LONG_WIDTH
    return [short + SHORT_WIDTH * step for step in range(SHORT_PROBES)] + [
        long + LONG_WIDTH * step for step in range(LONG_PROBES)
    ]


def digest_of(issuer: str, jti: str) -> bytes:
    """16 octets that stand for (issuer, jti), unambiguously joined."""
    named = issuer.encode()
    return sha256(b"%d:%b%b" % (len(named), named, jti.encode())).digest()[:16]


class SqlReplay:
    """Check-and-mark in one atomic statement."""

    def __init__(self, connection: Connection, *, shared: bool) -> None:
        self._connection = connection
        self._shared = shared
        self._asked_at = -1
        self._probes: dict[str, int] = {}

    async def mark(self, issuer: str, jti: str, *, expires_at: int, now: int, tenant: str = TENANT) -> bool:
        """Whether this is the first time. ValueError if the mark would have to be kept for more than a day."""
        if expires_at - now > MAX_LIFE:
            raise ValueError("a replay mark is kept for at most one day")
        # A mark whose end has passed is kept for this minute, so that whoever decides by a slower clock is refused too.
        row = {"bucket": bucket_of(max(expires_at, now), now), "tenant": tenant, "digest": digest_of(issuer, jti)}
        if not self._shared:
            row |= self._live(now)
        return await self._connection.run(_MARK, row) == 1

    def _live(self, now: int) -> dict[str, int]:
        minute = now // SHORT_WIDTH
        if minute != self._asked_at:
            self._probes = dict(zip(_PROBES, live_buckets(now), strict=True))
            self._asked_at = minute
        return self._probes
