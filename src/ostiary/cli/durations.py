"""Spans of time in arguments: ``90``, ``15m``, ``24h``, ``7d``."""

from __future__ import annotations

import re

import typer

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(text: str) -> int:
    """A span as whole seconds. Raises typer.BadParameter."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", str(text))
    if found is None:
        raise typer.BadParameter(f"{text!r} is no span of time: write seconds, or 15m, 24h, 7d")
    return int(found[1]) * _UNITS[found[2]]
