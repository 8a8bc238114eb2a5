"""Proof Key for Code Exchange: RFC 7636, with the method S256 alone (RFC 9700 section 2.1.1)."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

from ostiary.protocol import base64url

S256: Final = "S256"
# RFC 7636 4.1: "code-verifier = 43*128unreserved"; 4.2: a challenge is the base64url of a SHA-256.
_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def challenge(verifier: str) -> str:
    """``BASE64URL-ENCODE(SHA256(ASCII(code_verifier)))``, RFC 7636 section 4.2."""
    return base64url.encode(hashlib.sha256(verifier.encode("ascii")).digest()).decode("ascii")


def is_verifier(text: str) -> bool:
    """Whether ``text`` has the syntax of a code verifier."""
    return _VERIFIER.fullmatch(text) is not None


def is_challenge(text: str) -> bool:
    """Whether ``text`` can be a challenge of the method S256."""
    return _CHALLENGE.fullmatch(text) is not None


def matches(verifier: str, expected: str) -> bool:
    """Whether ``verifier`` is the one behind the challenge ``expected``; False for one of another syntax."""
    return is_verifier(verifier) and hmac.compare_digest(challenge(verifier), expected)
