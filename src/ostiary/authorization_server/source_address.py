"""Whom a limit counts as one: an IPv4 address, or the /64 of an IPv6 address, which is what one household is given."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
UNKNOWN = "unknown"
_PREFIX = 64  # RFC 6177 2: no end site is given less than a /64, so within it addresses cost nothing


@lru_cache(maxsize=4096)
def source(address: str) -> str:
    """The source that ``address`` belongs to; ``"unknown"`` for what is no IP address."""
    found = parsed(address)
    if found is None:
        return UNKNOWN
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, _PREFIX), strict=False))


def parsed(text: str) -> Address | None:
    """The IP address in ``text``, its zone left out, and IPv4 as such where it is mapped into IPv6; None for none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address
