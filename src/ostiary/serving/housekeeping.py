"""What a running installation does by itself: seal the audit log, turn signing keys, delete what has ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ostiary.errors import Unavailable

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chore:
    """Something done every ``interval`` seconds; a failure is logged and the next turn tries again."""

    name: str
    interval: float
    run: Callable[[], Awaitable[object]]


async def keep_house(chores: list[Chore], stop: asyncio.Event) -> None:
    """Run the chores side by side until ``stop`` is set, and each once more then, so that nothing is left undone."""
    async with asyncio.TaskGroup() as group:
        for chore in chores:
            group.create_task(_repeat(chore, stop), name=f"chore:{chore.name}")


async def _repeat(chore: Chore, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await do_once(chore)
        try:
            async with asyncio.timeout(chore.interval):
                await stop.wait()
        except TimeoutError:
            continue
    await do_once(chore)


async def do_once(chore: Chore) -> None:
    """Run it now; what goes wrong is logged."""
    try:
        await chore.run()
    except Unavailable as error:
        _log.warning("housekeeping waits: %s: %s; it is tried again in %s s", chore.name, error, chore.interval)
    except Exception:
        _log.exception("housekeeping failed: %s; it is tried again in %s s", chore.name, chore.interval)
