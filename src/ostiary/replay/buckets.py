"""Where a mark stands: in the bucket of time in which it ends, so that marks of one moment stand close together.

Random keys scatter writes over a whole table and stall it at a million rows; keys that begin with their end do not.
But the same id with another expiry stands in another bucket, so whoever marks must look into every live bucket.
Marks that live at most ``SHORT_LIFE`` stand in buckets of two minutes, longer ones (up to a day) in buckets of eight
hours: 12 in all. A bucket is named by the second at which it ends; a mark is kept until then, never shorter than asked.
"""

from __future__ import annotations

from hashlib import sha256
from math import ceil

SHORT_WIDTH = 120
LONG_WIDTH = 28_800
SHORT_LIFE = 360
# The clock may be set back by this many seconds, and every live bucket is still among those that are asked.
CLOCK_SLACK = 120
MAX_LIFE = 86_400

# The oldest live bucket may end a width before now, rounded down; the latest one ends a width after the longest life.
_SHORT_COUNT = ceil((SHORT_LIFE + CLOCK_SLACK) / SHORT_WIDTH) + 2
_LONG_COUNT = ceil((MAX_LIFE + CLOCK_SLACK) / LONG_WIDTH) + 2
COUNT = _SHORT_COUNT + _LONG_COUNT


def bucket_of(expires_at: float, now: float) -> int:
    """The end of the bucket in which a mark stands; ValueError if it would have to be kept for more than a day.

    A mark whose end has passed is kept for the present bucket, so that a decision by a slower clock is refused too.
    """
    life = expires_at - now
    if not life <= MAX_LIFE:
        raise ValueError("a replay mark is kept for at most one day")
    width = SHORT_WIDTH if life <= SHORT_LIFE else LONG_WIDTH
    return ceil(max(expires_at, now) / width) * width


def live_buckets(now: float) -> list[int]:
    """The ends of the ``COUNT`` buckets in which a live mark can stand; the same all through one ``SHORT_WIDTH``."""
    short = int(now) // SHORT_WIDTH * SHORT_WIDTH
    long = int(now) // LONG_WIDTH * LONG_WIDTH
    return [short + SHORT_WIDTH * step for step in range(_SHORT_COUNT)] + [
        long + LONG_WIDTH * step for step in range(_LONG_COUNT)
    ]


def digest_of(issuer: str, jti: str) -> bytes:
    """16 octets that stand for (issuer, jti); the issuer's length keeps the two apart."""
    named = issuer.encode("utf-8", "surrogatepass")
    return sha256(b"%d:%b%b" % (len(named), named, jti.encode("utf-8", "surrogatepass"))).digest()[:16]
