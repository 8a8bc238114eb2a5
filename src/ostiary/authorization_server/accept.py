"""Which media type a caller would rather have: the header Accept, RFC 9110 section 12.5.1."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_QUALITY: Final = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_ANY: Final = "*/*"


def quality(headers: Mapping[bytes, bytes], media_type: str) -> float:
    """From 0 (not acceptable) to 1: how much the caller wants ``media_type`` (lower case, without parameters).

    "Media ranges can be overridden by more specific media ranges or specific media types. If more than one media range
    applies to a given type, the most specific reference has precedence." 1 for whoever says nothing.
    """
    ranges = _ranges(headers)
    if not ranges:
        return 1.0
    for name in (media_type, media_type.partition("/")[0] + "/*", _ANY):
        if name in ranges:
            return ranges[name]
    return 0.0


def prefers(headers: Mapping[bytes, bytes], media_type: str, *, to: str) -> bool:
    """Whether the caller names ``media_type`` itself and wants it at least as much as ``to``, the usual one."""
    named = _ranges(headers).get(media_type, 0.0)
    return named > 0 and named >= _ranges(headers).get(to, 0.0)


def _ranges(headers: Mapping[bytes, bytes]) -> dict[str, float]:
    found: dict[str, float] = {}
    for item in headers.get(b"accept", b"").decode("latin-1").lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        if name:
            weights = [match[1] for match in map(_QUALITY.fullmatch, parameters) if match is not None]
            found[name] = float(weights[0]) if weights else 1.0
    return found
