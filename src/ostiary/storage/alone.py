"""Chores that one process does at a time: on PostgreSQL by a lock that ends with the transaction, or with its holder.

https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import BigInteger, bindparam, cast, func, select

from ostiary.storage.connection import Connection
from ostiary.storage.statements import Statement

_TRY = Statement(select(func.pg_try_advisory_xact_lock(cast(bindparam("key"), BigInteger))))


async def alone(connection: Connection, chore: str, *, shared: bool) -> bool:
    """Whether this transaction is the only one at ``chore``; then it stays so until it ends. It never waits.

    shared: whether other transactions write at the same time (PostgreSQL); on SQLite there is one writer anyway.
    """
    if not shared:
        return True
    # Other applications in the same database have numbers of their own.
    key = int.from_bytes(sha256(b"ostiary " + chore.encode()).digest()[:8], signed=True)
    row = await connection.one(_TRY, {"key": key})
    return row is not None and bool(row[0])
