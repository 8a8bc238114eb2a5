"""Levels of a sign-in, ``acr`` (OpenID Connect Core 2), in their order: issued by the server, demanded by APIs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

ONE_FACTOR: Final = "urn:ostiary:acr:one-factor"
TWO_FACTORS: Final = "urn:ostiary:acr:two-factors"
PHISHING_RESISTANT: Final = "phr"
"""OpenID EAP ACR Values 1.0: "phishing-resistant", such as a passkey with user verification."""

LEVELS: Final = (ONE_FACTOR, TWO_FACTORS, PHISHING_RESISTANT)
"""From the weakest; each satisfies those before it."""


def satisfies(held: str, wanted: Collection[str]) -> bool:
    """Whether the level ``held`` is one of those ``wanted`` or above one; True if none is wanted.

    A level that nobody here knows is above none.
    """
    if not wanted or held in wanted:
        return True
    if held not in LEVELS:
        return False
    return any(level in LEVELS and LEVELS.index(level) <= LEVELS.index(held) for level in wanted)
