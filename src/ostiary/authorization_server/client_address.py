"""The address of a request's sender, also behind a proxy; for throttling and for records, never for admission.

A proxy appends the address of its peer to ``X-Forwarded-For``, so only the end of that header is anybody's word but the
sender's own. From there the proxies that are known are passed over; the first address that is none is the sender's.
"""

from __future__ import annotations

import ipaddress
import logging
from functools import cache
from typing import TYPE_CHECKING

from ostiary.authorization_server.http import Request
from ostiary.authorization_server.source_address import UNKNOWN, parsed

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

IPV4_BITS = 24
IPV6_BITS = 56
log = logging.getLogger("ostiary.authorization_server")


def client_address(server: AuthorizationServer, request: Request) -> str:
    """The text of an IP address, or ``""`` if it is not known. The header counts only with ``server.behind_proxy``.

    There the peer is the proxy, never the sender: without the header nothing is known, which is said in the log once.
    At the address for clients with certificates TLS ends here, so only the sender itself can have written that header.
    """
    if not server.settings.server.behind_proxy or request.listener == "mtls":
        return request.client_address
    proxies = [ipaddress.ip_network(text) for text in server.settings.server.trusted_proxies]
    found = ""
    for text in reversed(request.headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")):
        address = parsed(text.strip())
        if address is None:
            if not found:
                _warn()
            return found
        found = str(address)
        if not any(address in network for network in proxies):
            return found
    return found


def network_of(address: str) -> str:
    """The network that one customer of a provider usually has: IPv4 /24, IPv6 /56; ``"unknown"`` if it is none."""
    found = parsed(address)
    if found is None:
        return UNKNOWN
    bits = IPV4_BITS if found.version == 4 else IPV6_BITS
    return str(ipaddress.ip_network((found, bits), strict=False))


@cache
def _warn() -> None:
    log.warning(
        "the proxy in front of this server sends no usable X-Forwarded-For, so sign-ins cannot be throttled by "
        "network: let it append the address of its peer"
    )
