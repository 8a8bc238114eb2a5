"""Waits until the APIs have heard of a revocation, and says of each when, or why it will not hear."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Final, Literal

from ostiary.cli.administration import Administration, Row

_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5

Knowledge = Literal["yes", "not_yet", "asks", "until_expiry"]
"""``asks``: at each use, for its tokens are references. ``until_expiry``: nothing tells it that a token ended."""


class Waiting:
    """For the readers of the revocation feed to apply the row at ``position``, at most ``wait`` seconds."""

    def __init__(self, administration: Administration, position: int, wait: float) -> None:
        self._administration = administration
        self._position = position
        self._wait = wait
        self._found: dict[str, dict[str, Any]] = {}

    @property
    def apis(self) -> list[Row]:
        """What is known of each API that is not disabled: its members, ``knows``, ``after_ms``."""
        return list(self._found.values())

    async def settled(self) -> AsyncIterator[Row]:
        """Each API as soon as it is settled what it knows; at the end of the time those that do not know yet."""
        began, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            rows = await self._administration.revocation_readers(self._position)
            elapsed = time.monotonic() - began
            for row in rows:
                if row["state"] == "active" and self._is_news(row, elapsed):
                    yield self._found[row["identifier"]]
            if elapsed >= self._wait or not self._late():
                break
            await asyncio.sleep(min(pause, self._wait - elapsed))
            pause = min(2 * pause, _LONGEST_PAUSE)
        for api in self._late():
            yield api

    def _is_news(self, row: Row, elapsed: float) -> bool:
        before = self._found.get(row["identifier"])
        if before is not None and before["knows"] != "not_yet":
            return False
        knows = _knowledge(row)
        self._found[row["identifier"]] = {**row, "knows": knows, "after_ms": round(elapsed * 1000)}
        return knows != "not_yet"

    def _late(self) -> list[dict[str, Any]]:
        return [api for api in self._found.values() if api["knows"] == "not_yet"]


def told(api: Row) -> str:
    """One API as a line for a person."""
    name, applied, readers = api["identifier"], api["applied"], api["readers"]
    match api["knows"]:
        case "yes":
            return f"{name}  {applied} of {readers} {_processes(readers)} it (after {api['after_ms']} ms)"
        case "not_yet":
            seen = f"; the quietest was heard of {api['seen']} s ago"
            return f"{name}  {applied} of {readers} {_processes(readers)} it after {api['after_ms']} ms{seen}"
        case "asks":
            return f"{name}  asks at each use and so knows at once (reference tokens)"
        case _:
            return f"{name}  no process follows the feed"


def _processes(number: int) -> str:
    return "process has" if number == 1 else "processes have"


def _knowledge(row: Row) -> Knowledge:
    if row["readers"]:
        return "yes" if row["applied"] >= row["readers"] else "not_yet"
    return "asks" if row["token_format"] == "reference" else "until_expiry"
