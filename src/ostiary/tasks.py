"""The end of tasks that run beside others: one way, as to cancel once is not always enough."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

# Longer than a driver takes to let go of its connection, which a second cancellation would interrupt.
AGAIN_AFTER = 1.0


async def end(tasks: Iterable[asyncio.Task[object]], *, again_after: float = AGAIN_AFTER) -> None:
    """Cancel the tasks and wait until each is over; whatever they raise is theirs. None and twice is allowed.

    A cancellation can be lost on its way into a task: ``asyncio.wait_for`` before Python 3.12 gives the result instead
    if it came in the same turn of the loop, and drivers are built on it. A task that loops would then run on for ever,
    and with it whoever waits for its end. So a task that is not over after ``again_after`` seconds is cancelled again.

    Whoever is cancelled while they wait here cancels the tasks again, and goes when they are over: tasks that end
    others when they are ended themselves leave none behind.
    """
    waiting = set(tasks)
    cancelled: asyncio.CancelledError | None = None
    while waiting:
        for task in waiting:
            task.cancel()
        try:
            ended, waiting = await asyncio.wait(waiting, timeout=again_after)
        except asyncio.CancelledError as error:
            cancelled = error
            continue
        for task in ended:
            if not task.cancelled():
                task.exception()  # looked at, so the loop does not complain that nobody did
    if cancelled is not None:
        raise cancelled
