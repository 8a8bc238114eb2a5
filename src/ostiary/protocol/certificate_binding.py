"""Access tokens that are bound to a client's certificate: the confirmation ``x5t#S256``, RFC 8705 section 3.1."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from ostiary.errors import VerificationError
from ostiary.protocol import base64url
from ostiary.protocol.checks import SENDER_CONSTRAINT, shown

X5T_S256: Final = "x5t#S256"
"""The member of ``cnf``; its name is registered by RFC 8705 section 9.1."""
_THUMBPRINT_LENGTH = 43  # 32 octets in base64url


def thumbprint(certificate: bytes) -> str:
    """The base64url of the SHA-256 of ``certificate`` (DER): 43 characters. RFC 8705 section 3.1."""
    return base64url.encode(sha256(certificate).digest()).decode("ascii")


def confirmation(certificate: bytes) -> dict[str, str]:
    """The claim ``cnf`` of a token that is bound to ``certificate`` (DER)."""
    return {X5T_S256: thumbprint(certificate)}


def bound_thumbprint(cnf: object) -> str:
    """The thumbprint that ``cnf`` names, and nothing beside it. Raises VerificationError("sender_constraint").

    A confirmation with a member that nobody checked would be worth no more than none: RFC 7800 section 3.1.
    """
    if not isinstance(cnf, Mapping) or cnf.keys() != {X5T_S256}:
        raise VerificationError(
            SENDER_CONSTRAINT,
            "this token needs proof of possession",
            seen=f"cnf with {shown(' '.join(map(str, cnf)))}" if isinstance(cnf, Mapping) else "cnf that is no object",
            expected=f"no cnf, or one with {X5T_S256} alone",
            mend="ask for a token that is bound to a certificate, or to nothing; this API cannot check another proof",
        )
    named = cnf[X5T_S256]
    if not isinstance(named, str) or not _is_thumbprint(named):
        raise VerificationError(
            SENDER_CONSTRAINT,
            "cnf unusable",
            seen=f"{X5T_S256}: {shown(named)}",
            expected=f"{_THUMBPRINT_LENGTH} characters of base64url, a SHA-256",
            mend="tell whoever runs the issuer: its tokens name no certificate that anybody can have",
        )
    return named


def check_bound(named: str, certificate: bytes) -> None:
    """``certificate`` (DER) must be the one whose thumbprint is ``named``. Raises VerificationError.

    "If they do not match, the resource access attempt MUST be rejected with an error per [RFC6750] using an HTTP 401
    status code and the 'invalid_token' error code." RFC 8705 section 3.
    """
    presented = thumbprint(certificate)
    if not hmac.compare_digest(presented, named):
        raise VerificationError(
            SENDER_CONSTRAINT,
            "the token is bound to another certificate",
            seen=f"a certificate with the thumbprint {presented}",
            expected=f"the certificate with the thumbprint {named}",
            mend="call with the certificate that the token was asked for with; after a renewal ask for a new token",
        )


def _is_thumbprint(text: str) -> bool:
    if len(text) != _THUMBPRINT_LENGTH or not text.isascii():
        return False
    try:
        base64url.decode(text.encode("ascii"))
    except VerificationError:
        return False
    return True
