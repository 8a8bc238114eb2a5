"""Wake-ups within one event loop: for tests, and what every other adapter is, besides what it hears from outside."""

from __future__ import annotations

import asyncio


class MemoryWakeUps:
    """``revocation_feed.base.WakeUps`` for a process that is alone; wrong as soon as two processes write."""

    def __init__(self) -> None:
        self._heard = 0
        self._next = asyncio.Event()

    @property
    def heard(self) -> int:
        """See ``WakeUps``."""
        return self._heard

    async def open(self) -> None:
        """See ``WakeUps``."""

    async def close(self) -> None:
        """See ``WakeUps``."""
        self.ring()

    def ring(self) -> None:
        """Wake everybody who waits now; for a storage whose every commit is made here, its ``after_revocation``."""
        self._heard += 1
        rung, self._next = self._next, asyncio.Event()
        rung.set()

    async def wait(self, timeout: float, *, since: int | None = None) -> None:  # noqa: ASYNC109 - the seam's
        """See ``WakeUps``."""
        if since is not None and since != self._heard:
            return
        try:
            async with asyncio.timeout(timeout):
                await self._next.wait()
        except TimeoutError:
            return
