"""Whether this node's clock agrees with the database's, which all nodes share.

A node whose clock is ahead would make tokens that begin in the future, and delete marks of proofs that are still good;
one that is behind would take an assertion again whose mark the others have deleted since. Both look healthy, so such a
node refuses everything, and does nothing by itself, until its clock is right.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import text

from ostiary.errors import Unavailable
from ostiary.storage.connection import Connection
from ostiary.storage.statements import Statement

MAX_OFFSET: Final = 10.0
"""Seconds: the leeway by which what we make is judged; with more, what one node makes is refused by the others."""

_INTERVAL: Final = 1.0
_JUMP: Final = 1.0
_NOW: Final = Statement(text("SELECT extract(epoch FROM clock_timestamp())::float8"))


class NodeClock:
    """Compares the clocks once a second, and at once after a jump that the steady clock did not make.

    offset: seconds by which this node is ahead, when last asked.
    """

    def __init__(self, clock: Callable[[], float], *, steady: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steady = steady
        self._ask_at = float("-inf")
        self._start = 0.0
        self.offset = 0.0

    async def check(self, connection: Connection, *, anew: bool = False) -> None:
        """Raises Unavailable if the clocks differ by more than MAX_OFFSET; anew: whatever was known a moment ago."""
        steady = self._steady()
        if anew or steady >= self._ask_at or abs(self._clock() - steady - self._start) > _JUMP:
            await self._compare(connection)
        if abs(self.offset) > MAX_OFFSET:
            raise Unavailable(
                "clock",
                f"this machine's clock is {abs(self.offset):.0f} s {'ahead of' if self.offset > 0 else 'behind'} the"
                " database's; have both follow a time server (NTP)",
            )

    async def _compare(self, connection: Connection) -> None:
        before, began = self._clock(), self._steady()
        self._start = before - began
        row = await connection.one(_NOW, {})
        took = self._steady() - began
        there = float(row[0]) if row else before
        # The answer was made somewhere in between: only what that cannot explain is an offset.
        ahead = before - there
        self.offset = ahead if ahead > 0 else min(0.0, ahead + took)
        self._ask_at = self._steady() + _INTERVAL
