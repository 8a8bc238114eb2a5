"""Batched expiry: every row with an end is deleted after it, a bounded number at a time, oldest first."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table, bindparam, delete, select, tuple_

from ostiary.model.revocation import KEPT_BEYOND_ITS_END
from ostiary.model.token import TAKEN_BEYOND_ITS_END
from ostiary.storage.acme_schema import ACME_AUTHORIZATIONS, ACME_CHALLENGES, ACME_ORDERS
from ostiary.storage.certificate_schema import CERTIFICATES
from ostiary.storage.connection import Connection
from ostiary.storage.feed_schema import FEED_READERS
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
from ostiary.storage.signal_schema import RECEIVED_SIGNALS, SIGNAL_EVENTS
from ostiary.storage.statements import Statement
from ostiary.storage.status_list_schema import STATUS_LISTS


def _deletion(table: Table, end: ColumnElement[int]) -> Statement:
    key = [table.c[column.name] for column in table.primary_key.columns]
    chosen = select(*key).where(end <= bindparam("now")).order_by(end).limit(bindparam("batch"))
    return Statement(delete(table).where(tuple_(*key).in_(chosen)))


# The standing grant of a client has no end.
_ACCESS_HANGS_ON = (ACCESS_TOKENS, REFRESH_TOKENS, SESSIONS, GRANTS)
_WITH_AN_END = (
    TRACES,
    ARTIFACTS,
    KNOWN_BROWSERS,
    FAILED_ATTEMPTS,
    DELIVERIES,
    CERTIFICATES,
    STATUS_LISTS,
    ACME_ORDERS,
    ACME_AUTHORIZATIONS,
    ACME_CHALLENGES,
    FEED_READERS,
    SIGNAL_EVENTS,
    RECEIVED_SIGNALS,
)
# A revocation ends with the last token that it could concern, and some time after: an API whose clock is slow still
# takes that token then, and has to find the row when it catches up. The end of its bucket is the end of a mark.
_DELETIONS = (
    (_deletion(REPLAY_MARKS, REPLAY_MARKS.c.bucket), 0),
    (_deletion(REVOCATIONS, REVOCATIONS.c.expires_at), KEPT_BEYOND_ITS_END),
    *((_deletion(table, table.c.expires_at), TAKEN_BEYOND_ITS_END) for table in _ACCESS_HANGS_ON),
    *((_deletion(table, table.c.expires_at), 0) for table in _WITH_AN_END),
)


async def delete_expired(connection: Connection, now: int, batch: int) -> int:
    """Delete at most ``batch`` rows whose end has passed, of some by as long as they are wanted after it; how many."""
    deleted = 0
    for deletion, margin in _DELETIONS:
        if deleted < batch:
            deleted += await connection.run(deletion, {"now": now - margin, "batch": batch - deleted})
    return deleted
