"""Whom passkeys are made for: the issuer's host and origin (Web Authentication Level 3, sections 5.1.2 and 13.4.9)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from ostiary.errors import VerificationError


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """id: the issuer's host, to which a passkey is bound for good; origin: of the pages that may ask for one."""

    id: str
    origin: str


@lru_cache(maxsize=8)
def relying_party(issuer: str) -> RelyingParty | None:
    """The relying party of this issuer, None where no browser would let it have passkeys.

    The host must be a domain, which an IP address is not (section 5.1.3, step 7), and the page a secure context, which
    plain http is on this very machine alone.
    """
    parts = urlsplit(issuer)
    host = (parts.hostname or "").lower()
    if not host or _is_address(host):
        return None
    if parts.scheme != "https" and host != "localhost" and not host.endswith(".localhost"):
        return None
    default = {"https": 443, "http": 80}.get(parts.scheme)
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return RelyingParty(host, f"{parts.scheme}://{host}{port}")


def required_party(issuer: str) -> RelyingParty:
    """The same. Raises VerificationError: there is none."""
    party = relying_party(issuer)
    if party is None:
        raise VerificationError(
            "relying_party",
            "passkeys do not work here",
            seen=f"the issuer {issuer}",
            expected="https and a host name, or http://localhost",
            mend="give the server an issuer with a host name",
        )
    return party


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
