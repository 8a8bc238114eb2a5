"""The time that caches age by: it only goes forward, however the clock of the wall is set, and counts a suspend too."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

_BOOT_TIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)
# Python's monotonic clock stands still on Linux while the machine is suspended; what is kept would then outlive its
# stated time.
elapsed: Callable[[], float] = time.monotonic if _BOOT_TIME is None else partial(time.clock_gettime, _BOOT_TIME)
"""Seconds since some moment in the past. Only differences mean anything."""
