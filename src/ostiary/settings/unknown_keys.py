"""The known keys of the settings, and the nearest one to a name that is none of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache
from typing import get_args, get_origin

from pydantic import BaseModel

from ostiary.settings.sections import Settings

HIDDEN = frozenset({"dev"})  # set by the program alone


@cache
def known_keys() -> tuple[str, ...]:
    """Every key as it is written, ``"tokens.max_life"``; ``<name>`` stands for a name of the operator's choice."""
    return tuple(_keys(Settings, ""))


def nearest(key: str) -> str:
    """The known key or section that looks most like ``key``; names that the operator chose are taken from ``key``."""
    parts = key.split(".")
    candidates = [_with_names_of(known, parts) for known in known_keys()]
    beside = _beside(parts, candidates)
    if close := difflib.get_close_matches(key, beside, n=1):
        return close[0]
    if close := difflib.get_close_matches(parts[-1], [known.rpartition(".")[2] for known in candidates], n=1):
        return next(known for known in candidates if known.rpartition(".")[2] == close[0])
    return difflib.get_close_matches(key, candidates, n=1, cutoff=0.0)[0]


def _beside(parts: list[str], candidates: list[str]) -> list[str]:
    """The keys and sections that may stand where ``parts`` stands."""
    split = [known.split(".") for known in candidates]
    there = [known[: len(parts)] for known in split if known[: len(parts) - 1] == parts[:-1]]
    return list(dict.fromkeys(".".join(known) for known in there))


def _keys(section: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        key = f"{prefix}{name}"
        if not prefix and name in HIDDEN:
            continue
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _keys(annotation, f"{key}.")
            continue
        inner = next(
            (one for one in get_args(annotation) if isinstance(one, type) and issubclass(one, BaseModel)), None
        )
        if inner is None:
            yield key
        else:
            yield from _keys(inner, f"{key}.<name>." if get_origin(annotation) is dict else f"{key}.")


def _with_names_of(known: str, parts: list[str]) -> str:
    if "<name>" not in known:
        return known
    names = known.split(".")
    return ".".join(
        parts[place] if name == "<name>" and place < len(parts) - 1 else name for place, name in enumerate(names)
    )
