"""The contract of wake-ups: whoever waits for news of the revocation log is woken when any node has committed some.

The rows are the truth and wake-ups carry nothing: one too many costs a look, one that is lost delays its reader until
the reader's own timeout, so it always gives one. A reader that must not miss what is committed while it reads notes
``heard`` first:

    heard = wake_ups.heard
    rows = ...  # read the log
    if not rows:
        await wake_ups.wait(25.0, since=heard)  # returns at once if somebody committed during the reading
"""

from __future__ import annotations

from typing import Protocol


class WakeUps(Protocol):
    """Built by ``app.py``, one a process; for one event loop, for any number of readers in it."""

    @property
    def heard(self) -> int:
        """How many wake-ups this process has heard of so far; it rises and means nothing else."""
        ...

    async def open(self) -> None:
        """Get ready; reaches nothing outside yet, so it cannot fail."""
        ...

    async def close(self) -> None:
        """Let whoever waits return, and let go of connections; closing twice is allowed."""
        ...

    async def wait(self, timeout: float, *, since: int | None = None) -> None:  # noqa: ASYNC109 - being late is no error
        """Return when somebody has committed, or after ``timeout`` seconds; it may also return for no reason.

        since: a value of ``heard``; returns at once if more has been heard meanwhile. It never raises: a reader whose
        wake-ups fail looks for itself, every second or so.
        """
        ...
