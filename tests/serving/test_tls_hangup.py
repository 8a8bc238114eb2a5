"""SIGHUP asks for the certificate anew: at once, once more for what came meanwhile, and no oftener."""

from __future__ import annotations

import asyncio
from typing import cast

from ostiary.errors import Unavailable
from ostiary.serving.tls.own import OwnTls, Surroundings


class SlowWatch:
    """Ends each reload when it is told to, the first one by a fault."""

    def __init__(self) -> None:
        self.reloads = 0
        self.goes_on = asyncio.Semaphore(0)

    async def look(self) -> None:
        """Nothing is due."""

    async def reload(self) -> None:
        self.reloads += 1
        await self.goes_on.acquire()
        if self.reloads == 1:
            raise Unavailable("storage")


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_storm_of_signals_makes_no_storm_of_certificates() -> None:
    async def go() -> None:
        watch = SlowWatch()
        tls = OwnTls(None, None, [watch], cast(Surroundings, None), 1.0)
        for _ in range(50):
            tls.hangup()
            await settled()
        assert watch.reloads == 1
        watch.goes_on.release()
        await settled()
        assert watch.reloads == 2  # for what was replaced while the first one was reading, and although that failed
        watch.goes_on.release()
        await settled()
        assert watch.reloads == 2
        tls.hangup()
        await settled()
        assert watch.reloads == 3
        watch.goes_on.release()
        await settled()

    asyncio.run(go())
