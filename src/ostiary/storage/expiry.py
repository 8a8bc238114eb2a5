"""Batched expiry: every row with an end is deleted after it, a bounded number at a time, oldest first."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table, bindparam, delete, select, tuple_

from ostiary.storage.acme_schema import ACME_AUTHORIZATIONS, ACME_CHALLENGES, ACME_ORDERS
from ostiary.storage.certificate_schema import CERTIFICATES
from ostiary.storage.connection import Connection
from ostiary.storage.schema import (
    ACCESS_TOKENS,
    ARTIFACTS,
    DELIVERIES,
    FAILED_ATTEMPTS,
    GRANTS,
    KNOWN_BROWSERS,
    REFRESH_TOKENS,
    REPLAY_MARKS,
    REVOCATIONS,
    SESSIONS,
    TRACES,
)
from ostiary.storage.statements import Statement


def _deletion(table: Table, end: ColumnElement[int]) -> Statement:
    key = [table.c[column.name] for column in table.primary_key.columns]
    chosen = select(*key).where(end <= bindparam("now")).order_by(end).limit(bindparam("batch"))
    return Statement(delete(table).where(tuple_(*key).in_(chosen)))


# The end of its bucket is the end of a mark; a revocation ends with the last token that it could concern.
# The standing grant of a client has no end.
_WITH_AN_END = (
    ACCESS_TOKENS,
    TRACES,
    ARTIFACTS,
    REVOCATIONS,
    REFRESH_TOKENS,
    SESSIONS,
    GRANTS,
    KNOWN_BROWSERS,
    FAILED_ATTEMPTS,
    DELIVERIES,
    CERTIFICATES,
    ACME_ORDERS,
    ACME_AUTHORIZATIONS,
    ACME_CHALLENGES,
)
_DELETIONS = (
    _deletion(REPLAY_MARKS, REPLAY_MARKS.c.bucket),
    *(_deletion(table, table.c.expires_at) for table in _WITH_AN_END),
)


async def delete_expired(connection: Connection, now: int, batch: int) -> int:
    """Delete at most ``batch`` rows whose end has passed; how many."""
    deleted = 0
    for deletion in _DELETIONS:
        if deleted < batch:
            deleted += await connection.run(deletion, {"now": now, "batch": batch - deleted})
    return deleted
