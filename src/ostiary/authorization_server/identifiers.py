"""Identifiers of tokens and grants: ordered by time, unguessable enough to be unique without asking anyone."""

from __future__ import annotations

import secrets
from collections.abc import Callable

_RANDOM_BYTES = 12


def new_jti(now: float, *, random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """A new identifier: 48 bits of milliseconds since the epoch, then 96 random bits, as 36 lower-case hex digits.

    The order of the texts is the order of time (to the millisecond), so that an index on it grows at its end only.
    """
    return f"{int(now * 1000):012x}{random(_RANDOM_BYTES).hex()}"


def new_grant_id(now: float, *, random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """A new identifier of a grant: ``gr_`` and the form of a ``jti``."""
    return "gr_" + new_jti(now, random=random)
