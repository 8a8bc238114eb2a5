"""Whom a limit counts as one: an IPv4 address, or the /64 of an IPv6 address, which is what one household is given."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

UNKNOWN = "unknown"
_PREFIX = 64  # RFC 6177 2: no end site is given less than a /64, so within it addresses cost nothing


@lru_cache(maxsize=4096)
def source(address: str) -> str:
    """The source that ``address`` (text, a zone left out) belongs to; ``"unknown"`` for what is no IP address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _PREFIX), strict=False))
