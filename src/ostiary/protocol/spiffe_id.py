"""SPIFFE IDs and the trust domain that each is of: the SPIFFE ID standard, section 2."""

from __future__ import annotations

import re
from typing import Final

from ostiary.errors import VerificationError
from ostiary.protocol.checks import shown

CHECK: Final = "spiffe_id"
SCHEME: Final = "spiffe://"
MAX_LENGTH: Final = 2048
"""Octets: "the maximum SPIFFE ID length is 2048 bytes" (section 2.3)."""

_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")
_SEGMENT = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]+")


def trust_domain(text: str) -> str:
    """``text`` if it is the name of a trust domain (section 2.1). Raises VerificationError("spiffe_id")."""
    if not _TRUST_DOMAIN.fullmatch(text):
        raise _wrong(text, "a trust domain of a-z 0-9 . - _, at most 255 characters")
    return text


def trust_domain_of(spiffe_id: str) -> str:
    """The trust domain of a SPIFFE ID, with a path or without. Raises VerificationError("spiffe_id")."""
    domain, slash, path = spiffe_id.removeprefix(SCHEME).partition("/")
    # "trust domain names ... lower case"; "path segments ... letters, numbers, dots, dashes, and underscores"; no empty
    # segments, no relative ones, no trailing slash, no query, fragment, port or userinfo.
    if (
        len(spiffe_id) > MAX_LENGTH
        or not spiffe_id.startswith(SCHEME)
        or not _TRUST_DOMAIN.fullmatch(domain)
        or (slash and not all(_SEGMENT.fullmatch(segment) for segment in path.split("/")))
    ):
        raise _wrong(spiffe_id, "spiffe://trust-domain/path")
    return domain


def check_workload(spiffe_id: str) -> str:
    """The trust domain of a workload's SPIFFE ID. Raises VerificationError("spiffe_id")."""
    domain = trust_domain_of(spiffe_id)
    # "Leaf certificate SPIFFE IDs MUST have a non-root path component." X.509-SVID 3.1
    if spiffe_id == SCHEME + domain:
        raise _wrong(spiffe_id, "a path after the trust domain, which names the workload")
    return domain


def _wrong(seen: str, expected: str) -> VerificationError:
    return VerificationError(CHECK, "this is no SPIFFE ID of a workload", seen=shown(seen), expected=expected)
