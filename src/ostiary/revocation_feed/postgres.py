"""Wake-ups by PostgreSQL's LISTEN and NOTIFY, on a connection of its own that is made when somebody first waits.

The transaction that adds to the revocation log notifies (``storage/ledger.py``), so PostgreSQL itself delivers after
the commit, to every node, whoever committed: a server or a command. Behind a pooler that hands out connections by the
transaction (PgBouncer's ``pool_mode = transaction``) LISTEN hears nothing: give PostgreSQL's own address.
"""

from __future__ import annotations

import asyncio
import logging

import psycopg

from ostiary.revocation_feed.memory import MemoryWakeUps
from ostiary.storage.ledger import CHANNEL
from ostiary.tasks import end

HEARTBEAT = 5.0
PAUSE_AFTER_A_FAULT = 1.0
_CONNECT_SECONDS = 5

_log = logging.getLogger(__name__)


class PostgresWakeUps(MemoryWakeUps):
    """``revocation_feed.base.WakeUps`` over one listening connection that is made again when it is lost.

    heartbeat: after so many seconds without news the connection is asked whether it still stands, and given up if it
    does not answer in as many: a database that is stopped or cut off closes nothing.
    """

    def __init__(self, url: str, *, heartbeat: float = HEARTBEAT, pause: float = PAUSE_AFTER_A_FAULT) -> None:
        super().__init__()
        self._url = url
        self._heartbeat = heartbeat
        self._pause = pause
        self._following: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """See ``WakeUps``."""
        task, self._following = self._following, None
        if task is not None:
            await end([task])
        await super().close()

    async def wait(self, timeout: float, *, since: int | None = None) -> None:  # noqa: ASYNC109 - the seam's
        """See ``WakeUps``."""
        if self._following is None:
            self._following = asyncio.create_task(self._follow(), name="wake-ups")
        await super().wait(timeout, since=since)

    async def _follow(self) -> None:
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError) as error:  # TimeoutError is an OSError
                _log.warning("wake-ups by PostgreSQL are lost, readers look for themselves: %s", type(error).__name__)
            self.ring()
            await asyncio.sleep(self._pause)

    async def _listen(self) -> None:
        connection = await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, connect_timeout=_CONNECT_SECONDS, application_name="ostiary wake-ups"
        )
        try:
            async with asyncio.timeout(self._heartbeat):
                await connection.execute(f"LISTEN {CHANNEL}".encode())
            # Nobody knows what was announced before.
            self.ring()
            while True:
                async for _ in connection.notifies(timeout=self._heartbeat):
                    self.ring()
                async with asyncio.timeout(self._heartbeat):
                    await connection.execute(b"SELECT 1")
        finally:
            await connection.close()
