"""Which addresses may be connected to: those that the whole internet may, and networks that the operator allows.

Source: the IANA registries of special-purpose addresses (RFC 6890), RFC 8725bis 3.10, OWASP ASVS 13.2.4. Addresses that
carry another one inside (IPv4-mapped and -compatible, NAT64, 6to4, Teredo) are refused as such, whatever is inside.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final

from ostiary.fetching.refusal import FetchRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SPECIAL_IPV4: Final = tuple(
    (ipaddress.IPv4Network(network), name)
    for network, name in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a carrier"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "for protocols"),
        ("192.0.2.0/24", "for documentation"),
        ("192.31.196.0/24", "for protocols"),
        ("192.52.193.0/24", "for protocols"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "for protocols"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
# Only 2000::/3 is given out as global unicast; all else is special by default: ::, ::1, mapped and compatible IPv4,
# NAT64, discard-only, unique local, link-local, site-local, multicast and what is not assigned.
_GLOBAL_IPV6: Final = ipaddress.IPv6Network("2000::/3")
_SPECIAL_IPV6: Final = tuple(
    (ipaddress.IPv6Network(network), name)
    for network, name in (
        ("2001::/32", "Teredo"),
        ("2001::/23", "for protocols"),
        ("2001:db8::/32", "for documentation"),
        ("2002::/16", "6to4"),
        ("2620:4f:8000::/48", "for protocols"),
        ("3fff::/20", "for documentation"),
    )
)
LOOPBACK: Final = (ipaddress.IPv4Network("127.0.0.0/8"), ipaddress.IPv6Network("::1/128"))


def special_use(address: Address) -> str | None:
    """What ``address`` is reserved for, None if it is public."""
    if isinstance(address, ipaddress.IPv4Address):
        return next((name for network, name in _SPECIAL_IPV4 if address in network), None)
    if address.scope_id is not None or address not in _GLOBAL_IPV6:
        return "not global unicast"
    return next((name for network, name in _SPECIAL_IPV6 if address in network), None)


def check_address(address: Address, allowed: Iterable[Network]) -> None:
    """Raise FetchRefused unless ``address`` is public or in a network of its own version that is allowed."""
    reserved = special_use(address)
    if reserved is None or any(address.version == network.version and address in network for network in allowed):
        return
    raise FetchRefused(
        f"the address {address} is {reserved}",
        mend="publish at a public address, or have the operator allow its network in fetching.allow_networks",
    )


def parse_resolved(texts: Sequence[str]) -> list[Address]:
    """The addresses that a resolver named, each once. Raises FetchRefused for anything that is no address."""
    try:
        return list(dict.fromkeys(ipaddress.ip_address(text) for text in texts))
    except ValueError:
        raise FetchRefused("the name resolves to something that is no address") from None


def allows_loopback(allowed: Iterable[Network]) -> bool:
    """Whether the operator allows this machine itself, and so the name ``localhost``."""
    return any(network.overlaps(loop) for network in allowed for loop in LOOPBACK if network.version == loop.version)
