"""Password hashes that an import may bring: bcrypt and PBKDF2 in the forms of the field, and how each is verified.

They are verified as they are and replaced by argon2id at the owner's next sign-in. Their cost is bounded, so that a
hash from elsewhere cannot stop the server.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import bcrypt

MAX_BCRYPT_COST: Final = 16
MAX_PBKDF2_ITERATIONS: Final = 5_000_000
_BCRYPT_OCTETS: Final = 72

_BCRYPT = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
# Django: pbkdf2_sha256$iterations$salt$hash, the salt as text, the hash in base64.
_DJANGO = re.compile(r"pbkdf2_(sha1|sha256|sha512)\$([0-9]{1,9})\$([^$]+)\$([A-Za-z0-9+/]+={0,2})")
# PHC strings, $pbkdf2-sha256$i=iterations,l=length$salt$hash, and passlib's, with bare iterations and "." for "+".
_PHC = re.compile(
    r"\$pbkdf2(?:-(sha1|sha256|sha512))?\$(?:i=)?([0-9]{1,9})(?:,l=[0-9]+)?\$([A-Za-z0-9+/.]+)\$([A-Za-z0-9+/.]+)"
)


@dataclass(frozen=True, slots=True)
class ImportedHash:
    """matches: whether a password (its octets) is the one; slow, for a thread."""

    matches: Callable[[bytes], bool]


def parse(encoded: str) -> ImportedHash | None:
    """The hash in ``encoded``, None if it is of no form known here. Raises ValueError: it is, but too costly or broken.

    The sentence of the error goes on from "the password hash".
    """
    if match := _BCRYPT.fullmatch(encoded):
        return _bcrypt(encoded, int(match[1]))
    if match := _DJANGO.fullmatch(encoded):
        return _pbkdf2(match[1], int(match[2]), match[3].encode(), _base64(match[4]))
    if match := _PHC.fullmatch(encoded):
        return _pbkdf2(match[1] or "sha1", int(match[2]), _base64(match[3]), _base64(match[4]))
    return None


def _bcrypt(encoded: str, cost: int) -> ImportedHash:
    if not 4 <= cost <= MAX_BCRYPT_COST:
        raise ValueError(f"has the bcrypt cost {cost}; 4 to {MAX_BCRYPT_COST} are taken")
    # Whoever made the hash gave bcrypt the first 72 octets; argon2id gets them all at the next sign-in.
    return ImportedHash(lambda password: bcrypt.checkpw(password[:_BCRYPT_OCTETS], encoded.encode("ascii")))


def _pbkdf2(algorithm: str, iterations: int, salt: bytes, expected: bytes) -> ImportedHash:
    if not 1 <= iterations <= MAX_PBKDF2_ITERATIONS:
        raise ValueError(f"has {iterations} iterations; 1 to {MAX_PBKDF2_ITERATIONS} are taken")
    if not 16 <= len(expected) <= 64:
        raise ValueError("has a derived key that is shorter than 16 or longer than 64 octets")

    def matches(password: bytes) -> bool:
        derived = hashlib.pbkdf2_hmac(algorithm, password, salt, iterations, len(expected))
        return hmac.compare_digest(derived, expected)

    return ImportedHash(matches)


def _base64(text: str) -> bytes:
    text = text.rstrip("=").replace(".", "+")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise ValueError("holds malformed base64") from None
