"""Which language a page is in: ``ui_locales`` (OpenID Connect Core 3.1.2.1), then Accept-Language (RFC 9110 12.5.4)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

_MAX_RANGES = 20
_MAX_LENGTH = 1000
# RFC 4647 2.1, a basic language range.
_RANGE = re.compile(r"(?:[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*)\Z")
_QUALITY = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\Z")


def choose(available: Collection[str], ui_locales: str, accept_language: str, default: str) -> str:
    """One of ``available`` (lower-case tags), by the first wish that can be met; ``default`` if none can.

    ui_locales: "a space-separated list of BCP47 language tag values, ordered by preference". What is malformed, or
    beyond twenty wishes, counts as not said: "An error SHOULD NOT result if some or all of the requested locales are
    not supported". OpenID Connect Core 3.1.2.1.
    """
    for wish in (*_tags(ui_locales), *_ranges(accept_language)):
        found = _lookup(wish, available)
        if found:
            return found
    return default


def _tags(ui_locales: str) -> list[str]:
    return [tag for tag in ui_locales[:_MAX_LENGTH].split()[:_MAX_RANGES] if _RANGE.match(tag)]


def _ranges(accept_language: str) -> list[str]:
    # Sorting is stable: of equal quality, the one that stands first.
    return [name for name, _ in sorted(_weighed(accept_language), key=lambda one: -one[1])]


def _weighed(accept_language: str) -> Iterator[tuple[str, float]]:
    for part in accept_language[:_MAX_LENGTH].split(",")[:_MAX_RANGES]:
        name, _, parameter = part.partition(";")
        key, _, text = parameter.strip().partition("=")
        quality = 1.0 if not parameter else _quality(text) if key.strip().lower() == "q" else 0.0
        if quality > 0 and _RANGE.match(name.strip()):
            yield name.strip(), quality


def _quality(text: str) -> float:
    return float(text) if _QUALITY.match(text.strip()) else 0.0


def _lookup(wish: str, available: Collection[str]) -> str:
    # "the language range is progressively truncated from the end until a matching language tag is located" RFC 4647
    # 3.4
    parts = wish.lower().split("-")
    while parts:
        if (tag := "-".join(parts)) in available:
            return tag
        parts.pop()
    return ""
