"""Waiting for what another thread or process does: for the condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST = 30.0


def until(condition: Callable[[], object], what: str = "") -> None:
    """Return as soon as ``condition`` holds. Fails after half a minute, which only a defect takes."""
    ends = time.monotonic() + LONGEST
    while not condition():
        if time.monotonic() > ends:
            raise AssertionError(f"it never came to pass: {what or condition}")
        time.sleep(0.002)
