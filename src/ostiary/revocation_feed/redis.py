"""Wake-ups by Valkey or Redis (publish and subscribe): each process then keeps no listening connection to PostgreSQL.

Nothing is kept there, so a Valkey that is gone, flushed or started anew costs readers a moment: they look for
themselves until it is there again. A commit never waits for it.
"""

from __future__ import annotations

import asyncio
import logging

from ostiary.extras import missing_extra
from ostiary.replay.redis import server_url
from ostiary.revocation_feed.memory import MemoryWakeUps
from ostiary.tasks import end

try:
    import valkey.asyncio
    from valkey.exceptions import ValkeyError
except ImportError as error:
    raise missing_extra("redis", error) from error

HEARTBEAT = 5.0
PAUSE_AFTER_A_FAULT = 1.0
TIMEOUT = 1.0

_log = logging.getLogger(__name__)


class RedisWakeUps(MemoryWakeUps):
    """``revocation_feed.base.WakeUps`` over one channel of a Valkey or Redis.

    url: as for ``RedisReplayMemory``; installation: whose channel, such as the issuer. heartbeat: after so many seconds
    without news the connection is asked whether it still stands, and given up if it does not answer in as many.
    Raises ConfigurationError for a URL that is none.
    """

    def __init__(
        self,
        url: str,
        installation: str,
        *,
        heartbeat: float = HEARTBEAT,
        pause: float = PAUSE_AFTER_A_FAULT,
    ) -> None:
        super().__init__()
        self._url = server_url(url)
        self._channel = f"ostiary:revocations:{installation}"
        self._heartbeat = heartbeat
        self._pause = pause
        self._client: valkey.asyncio.Valkey | None = None
        self._owed = False
        self._telling: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """See ``WakeUps``; what is still to be told is told first, by a command that ends as soon as it has written."""
        following, self._following = self._following, None
        if following is not None:
            await end([following])
        if self._telling is not None:
            await asyncio.wait([self._telling])
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()
        await super().close()

    def announce(self) -> None:
        """Tell the readers of every node that a commit has added to the log; what comes together is told once.

        It neither waits nor raises, for the commit stands: the storage's ``after_revocation``.
        """
        self.ring()
        self._owed = True
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell(), name="wake-ups: tell")

    async def wait(self, timeout: float, *, since: int | None = None) -> None:  # noqa: ASYNC109 - the seam's
        """See ``WakeUps``."""
        if self._following is None:
            self._following = asyncio.create_task(self._follow(), name="wake-ups: listen")
        await super().wait(timeout, since=since)

    def _connected(self) -> valkey.asyncio.Valkey:
        if self._client is None:
            self._client = valkey.asyncio.Valkey.from_url(
                self._url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT
            )
        return self._client

    async def _tell(self) -> None:
        while self._owed:
            self._owed = False
            try:
                await self._connected().execute_command("PUBLISH", self._channel, "")
            except (ValkeyError, OSError) as error:
                _log.warning("other nodes are not woken by Valkey, they look for themselves: %s", type(error).__name__)

    async def _follow(self) -> None:
        while True:
            try:
                await self._listen()
            except (ValkeyError, OSError) as error:  # TimeoutError is an OSError
                _log.warning("wake-ups by Valkey are lost, readers look for themselves: %s", type(error).__name__)
            self.ring()
            await asyncio.sleep(self._pause)

    async def _listen(self) -> None:
        listening = self._connected().pubsub()
        try:
            await listening.subscribe(self._channel)
            asked = False
            while True:
                heard = await listening.get_message(timeout=self._heartbeat)
                if heard is not None:
                    asked = False
                    # Also that the subscription stands: nobody knows what was announced before.
                    if heard["type"] in ("message", "subscribe"):
                        self.ring()
                elif asked:
                    raise TimeoutError
                else:
                    asked = True
                    await listening.ping()
        finally:
            await listening.aclose()
