"""The URL of a fetch, taken apart once and strictly, so that no two parsers can disagree about the host."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from ostiary.fetching.addresses import Address
from ostiary.fetching.refusal import FetchRefused

MAX_URL_LENGTH: Final = 2048
_DEFAULT_PORT: Final = {"https": 443, "http": 80}
# RFC 3986 appendix A, narrowed: no userinfo, no fragment, no escapes in the host, nothing but printable ASCII.
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*)?"
    r"(?P<query>\?(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*)?"
)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# A host whose last label is a number is an IPv4 address to many parsers: decimal, octal, hex, with one to four parts.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DECIMAL_IPV4 = re.compile(r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})")
# Ports of services that read lines and might take a request for commands.
_REFUSED_PORTS: Final = frozenset(
    {0, 7, 9, 11, 13, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 79, 110, 111, 113, 119, 123, 135, 137, 139, 143}
    | {161, 179, 389, 427, 445, 465, 512, 513, 514, 515, 587, 993, 995, 2049, 3659, 4045, 5060, 5061, 6000, 6379}
    | {6566, 6665, 6666, 6667, 6668, 6669, 6697, 10080, 11211}
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect and what to ask for. host: lower case, an IPv6 address without brackets; path: with its query.

    address: the host if it is an address, else None.
    """

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None

    @property
    def authority(self) -> str:
        """The value of ``Host``: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORT[self.scheme] else f"{host}:{self.port}"

    @property
    def is_localhost(self) -> bool:
        """RFC 6761 section 6.3: the name of this machine itself, whatever a resolver says."""
        return self.host == "localhost" or self.host.endswith(".localhost")


def parse_target(url: str, *, allow_http: bool) -> Target:
    """``url`` taken apart. Raises FetchRefused."""
    match = _URL.fullmatch(url) if len(url) <= MAX_URL_LENGTH else None
    if match is None:
        raise FetchRefused(
            "the URL is no plain https URL", mend="use https://host/path without user, password, fragment or blanks"
        )
    if match["scheme"] == "http" and not allow_http:
        raise FetchRefused("the URL is not https", mend="publish by https")
    port = int(match["port"] or _DEFAULT_PORT[match["scheme"]])
    if port > 65_535 or port in _REFUSED_PORTS:
        raise FetchRefused(f"the port {port} is not for https", mend="publish at port 443 or another port of your own")
    host, address = _host(match["host"].lower())
    return Target(match["scheme"], host, port, (match["path"] or "/") + (match["query"] or ""), address)


def _host(host: str) -> tuple[str, Address | None]:
    try:
        if host.startswith("["):
            ipv6 = ipaddress.IPv6Address(host[1:-1])
            return ipv6.compressed, ipv6
        if _DECIMAL_IPV4.fullmatch(host):
            return host, ipaddress.IPv4Address(host)
    except ValueError:
        raise FetchRefused("the host is no address", mend="use a name") from None
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels) or _NUMBER.fullmatch(labels[-1]):
        raise FetchRefused("the host is no name and no plain address", mend="use a name such as keys.example.com")
    return host, None
