"""Pauses the streams whose receiver has taken nothing for days, so that it is said before events are lost.

An event waits for seven days (``acts.LIFE``). After three without being fetched or taken its stream is paused with a
reason that its receiver and the operator can read; it still holds what comes, and goes on when it is enabled again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ostiary.model.signal import POLL, PUSH, SignalStream
from ostiary.shared_signals.acts import announce
from ostiary.storage.base import Storage, UnitOfWork

LATE: Final = 3 * 86_400
"""Seconds."""

NOT_FETCHED: Final = "the oldest event was not fetched for three days"
NOT_TAKEN: Final = "the endpoint has taken nothing for three days"
NEVER_VERIFIED: Final = "the endpoint has never taken a verification event"


class LateStreams:
    """For a chore every minute. clock: seconds since the epoch."""

    def __init__(self, storage: Storage, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._clock = clock

    async def round(self) -> int:
        """Pause what is late; how many streams."""
        before = int(self._clock()) - LATE
        async with self._storage.read() as work:
            late = [(stream, why) for stream in await _enabled(work) if (why := await _fault(work, stream, before))]
        for stream, why in late:
            async with self._storage.write() as work:
                await self._pause(work, stream, why)
        return len(late)

    async def _pause(self, work: UnitOfWork, stream: SignalStream, why: str) -> None:
        now = self._clock()
        paused = await work.signal_streams.set_status(
            stream.stream_id, "paused", reason=why, by="server", at=int(now), was="enabled"
        )
        if paused:
            await announce(work, replace(stream, status="paused", reason=why, changed_by="server"), now)


async def _enabled(work: UnitOfWork) -> list[SignalStream]:
    found: list[SignalStream] = []
    after = ""
    while page := await work.signal_streams.list(after=after):
        after = page[-1].stream_id
        found += [stream for stream in page if stream.status == "enabled"]
    return found


async def _fault(work: UnitOfWork, stream: SignalStream, before: int) -> str:
    # Whoever has just let it flow again gets as long as a new stream.
    if stream.updated_at > before:
        return ""
    if stream.method == PUSH and stream.verified_at is None:
        return NEVER_VERIFIED
    oldest = await work.signal_events.waiting(stream.stream_id, limit=1)
    if not oldest or oldest[0].at > before:
        return ""
    return NOT_FETCHED if stream.method == POLL else NOT_TAKEN
