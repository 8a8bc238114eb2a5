"""Whether something stands before PostgreSQL that lends its connections to others between two transactions.

A session of ours keeps settings (what was answered is durable), prepared statements, and what it listens to. A pooler
that hands out another one for each transaction loses all of that and says nothing; PgBouncer calls it
``pool_mode = transaction``. With ``pool_mode = session`` a connection is ours until we close it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg

from ostiary.errors import Unavailable
from ostiary.storage.pool import translated

PATIENCE: Final = 5.0
"""Seconds for the whole look: a pooler that has no connection left says nothing for minutes."""

LENT: Final = (
    "storage.url leads to a connection pooler that lends connections, for a transaction or a statement; Ostiary needs "
    "sessions (settings, prepared statements, LISTEN): connect to PostgreSQL itself, or set pool_mode = session in "
    "PgBouncer, with a pool of at least 10 connections for each process of Ostiary."
)
_ROUNDS: Final = 4
_PID = "SELECT pg_backend_pid()"

Session = psycopg.AsyncConnection[Any]


async def check_sessions(url: str, *, patience: float = PATIENCE) -> str | None:
    """None if a connection to ``url`` is a session of its own, else one sentence that says how to mend it.

    Raises Unavailable: the database cannot be asked.
    """
    try:
        async with asyncio.timeout(patience):
            return LENT if await _is_lent(url) else None
    except TimeoutError:
        raise Unavailable("storage", "no second connection was to be had; has the pooler too few?") from None
    except psycopg.Error as error:
        raise translated(error) from error


async def _is_lent(url: str) -> bool:
    async with _connected(url) as first:
        if await _backend(first) == first.info.backend_pid:
            return False  # PostgreSQL has told us its own number: nothing stands between
        async with _connected(url) as second:
            for _ in range(_ROUNDS):
                ours = await _backend(first)
                try:
                    await second.execute("BEGIN")
                except psycopg.errors.ProtocolViolation:
                    return True  # PgBouncer's pool_mode = statement knows no transactions
                # One that is not ours alone is given to whoever asks next; or, taken by them, is not ours again.
                if await _backend(second) == ours or await _backend(first) != ours:
                    return True
                await second.execute("COMMIT")
    return False


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Session]:
    # Nothing is prepared on a connection that may be another one the next time.
    connected = await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=5, prepare_threshold=None)
    try:
        yield connected
    finally:
        await connected.close()


async def _backend(session: Session) -> int:
    row = await (await session.execute(_PID)).fetchone()
    return 0 if row is None else int(row[0])
