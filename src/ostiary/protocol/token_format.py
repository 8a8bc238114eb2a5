"""One format for every opaque secret: ``ost_<kind>_<installation>_<secret><checksum>``.

kind: two lower-case letters. installation: 6 characters. secret: 43 base62 characters that hold 256 random bits.
checksum: 6 base62 characters, the CRC-32 (ISO 3309) of the text before them, so that a scanner knows a leaked secret
offline and a typing error costs no look-up. Base62 is 0-9 A-Z a-z, most significant digit first. Only the SHA-256 of
the whole text is stored.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from typing import Final, NamedTuple
from zlib import crc32

from ostiary.errors import ConfigurationError
from ostiary.protocol.checks import malformed

REFERENCE_ACCESS_TOKEN: Final = "at"
REFRESH_TOKEN: Final = "rt"
AUTHORIZATION_CODE: Final = "ac"
API_KEY: Final = "ak"
CLIENT_SECRET: Final = "cs"
BOOTSTRAP: Final = "bt"
SESSION: Final = "ss"
BROWSER: Final = "br"
EMAIL_LINK: Final = "el"
ENROLMENT: Final = "en"
FEED_READER: Final = "fr"

LENGTH: Final = 4 + 3 + 7 + 43 + 6
PATTERN: Final = re.compile(r"(?<![0-9A-Za-z])ost_[a-z]{2}_[0-9A-Za-z]{6}_[0-9A-Za-z]{49}(?![0-9A-Za-z])")
"""Finds candidates in any text; ``parse`` tells by the checksum whether one is real."""

_SHAPE = re.compile(r"ost_([a-z]{2})_([0-9A-Za-z]{6})_[0-9A-Za-z]{49}")
_KIND = re.compile(r"[a-z]{2}")
_INSTALLATION = re.compile(r"[0-9A-Za-z]{6}")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]
_SECRET_BYTES = 32
_SECRET_DIGITS = 43
_CHECKSUM_DIGITS = 6


class OpaqueToken(NamedTuple):
    """What the text of a secret tells about it: its kind and the installation that made it."""

    kind: str
    installation: str


def generate(kind: str, installation: str, *, random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """A new secret. random: gives that many random bytes.

    Raises ConfigurationError for an unfit kind or installation.
    """
    if _KIND.fullmatch(kind) is None or _INSTALLATION.fullmatch(installation) is None:
        raise ConfigurationError("A kind is two lower-case letters, an installation six letters or digits.")
    secret = _base62(int.from_bytes(random(_SECRET_BYTES), "big"), _SECRET_DIGITS)
    body = f"ost_{kind}_{installation}_{secret}"
    return body + _checksum(body)


def new_installation(*, random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """A new name for an installation: six base62 characters, drawn at random."""
    return _base62(int.from_bytes(random(8), "big") % 62**6, 6)


def parse(token: str) -> OpaqueToken:
    """The kind and installation of ``token``. Raises VerificationError("format") if shape or checksum is wrong."""
    match = _SHAPE.fullmatch(token)
    if match is None or token[-_CHECKSUM_DIGITS:] != _checksum(token[:-_CHECKSUM_DIGITS]):
        raise malformed(
            "not a secret of Ostiary, or altered", expected="ost_kind_installation_secret with its checksum"
        )
    return OpaqueToken(match[1], match[2])


def digest(token: str) -> bytes:
    """The SHA-256 of ``token``: 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def looks_like(token: str) -> bool:
    """Whether ``token`` claims to be of this format rather than a JWT; ``parse`` decides."""
    return token.startswith("ost_")


def _checksum(body: str) -> str:
    return _base62(crc32(body.encode("ascii")), _CHECKSUM_DIGITS)


def _base62(value: int, digits: int) -> str:
    pairs: list[str] = []
    # Two digits at a time: to divide a number of 256 bits is what this costs.
    for _ in range((digits + 1) // 2):
        value, pair = divmod(value, 3844)
        pairs.append(_PAIRS[pair])
    pairs.reverse()
    return "".join(pairs)[-digits:]
