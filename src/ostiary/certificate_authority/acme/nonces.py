"""Anti-replay nonces (RFC 8555 section 6.5): unguessable, used once, good on every node.

A nonce is the time of its making and random octets under a MAC of the installation, so that handing one out costs no
row; the first use leaves a mark among the replay marks, which lives as long as the nonce could.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from typing import Final

from ostiary.certificate_authority.acme.problems import Problem
from ostiary.errors import VerificationError
from ostiary.protocol import base64url
from ostiary.storage.base import MarksLost, UnitOfWork

LIFE: Final = 3600
"""Seconds for which a nonce is good: a client may think that long between two requests."""
MARKED_AS: Final = "acme-nonce"
PURPOSE: Final = "acme nonce"

_TIME_BYTES = 8
_RANDOM_BYTES = 12
_MAC_BYTES = 16
Mac = Callable[[str, bytes], bytes]


def new_nonce(mac: Mac, now: float) -> str:
    """A nonce; mac: HMAC under a key of the installation, for a purpose (``Seals.mac``)."""
    body = int(now).to_bytes(_TIME_BYTES, "big") + os.urandom(_RANDOM_BYTES)
    return base64url.encode(body + mac(PURPOSE, body)[:_MAC_BYTES]).decode("ascii")


def check_nonce(mac: Mac, nonce: str, now: float) -> None:
    """Whether it was made here and lately. Raises Problem ("badNonce")."""
    try:
        raw = base64url.decode(nonce.encode("ascii"))
    except (VerificationError, UnicodeEncodeError):
        raise bad_nonce("something else", "a nonce of this server") from None
    body, tag = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    genuine = len(body) == _TIME_BYTES + _RANDOM_BYTES
    if not genuine or not hmac.compare_digest(mac(PURPOSE, body)[:_MAC_BYTES], tag):
        raise bad_nonce("something else", "a nonce of this server")
    age = int(now) - _made_at(body)
    if not -LIFE <= age <= LIFE:
        raise bad_nonce(f"a nonce of {age} s", f"at most {LIFE} s")


async def use_nonce(work: UnitOfWork, nonce: str, now: float) -> None:
    """Mark its one use. Raises Problem ("badNonce")."""
    until, made_at = int(now) + 2 * LIFE, _made_at(base64url.decode(nonce.encode("ascii")))
    try:
        # One atomic statement checks and marks.
        first = await work.replay.mark(MARKED_AS, nonce, expires_at=until, usable_from=made_at, now=int(now))
    except MarksLost:
        # The client takes the fresh one of this answer, which nobody can have used.
        raise bad_nonce("a nonce of before the restore of the database", "one made after it") from None
    if not first:
        raise bad_nonce("a nonce that was used before", "a new nonce for each request")


def _made_at(raw: bytes) -> int:
    return int.from_bytes(raw[:_TIME_BYTES], "big")


def bad_nonce(seen: str, expected: str) -> Problem:
    """The refusal of a nonce; clients then take the fresh one of the answer and try again (section 6.5)."""
    return Problem("badNonce", "the nonce is not good", check="nonce", seen=seen, expected=expected)
