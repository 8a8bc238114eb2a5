"""The names that a certificate speaks for: ``dns:``, ``ip:`` and ``uri:`` and the value, as they stand in its SAN.

RFC 5280 section 4.2.1.6. They are kept in one spelling, so that equal names are equal text: DNS names in lower case and
A-labels, addresses compressed. No wildcard, no otherName, no e-mail address.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

from cryptography import x509

from ostiary.certificate_authority.refusal import refused
from ostiary.errors import VerificationError
from ostiary.protocol import spiffe_id

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # as a last label it makes an address of the name (WHATWG URL, section 3.5)
_URI = re.compile(r"[a-z][a-z0-9+.-]*://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_MAX_URI = 2048  # octets; the SPIFFE ID standard, section 2.3


def dns(name: str) -> str:
    """The identity of a host name. Raises VerificationError (check "identity")."""
    # Asked of the name as it was given: lower() makes ASCII of some other letters (U+212A becomes "k").
    plain = name.lower() if name.isascii() else ""
    if "*" in name:
        raise refused("identity", "a wildcard is not issued", seen=name, expected="the name of one host")
    labels = plain.split(".")
    if len(plain) > 253 or not all(_LABEL.fullmatch(label) for label in labels) or _NUMBER.fullmatch(labels[-1]):
        raise refused("identity", "this is no host name", seen=name, expected="labels of letters, digits and hyphens")
    return f"dns:{plain}"


def ip(address: str) -> str:
    """The identity of an IP address. Raises VerificationError (check "identity")."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise refused("identity", "this is no IP address", seen=address, expected="IPv4 or IPv6") from None
    if getattr(found, "scope_id", None) is not None:
        # The octets of a SAN have no room for it: the certificate would say something else than was asked for.
        raise refused("identity", "an address with a zone is not issued", seen=address, expected="IPv4 or IPv6")
    return f"ip:{found.compressed}"


def uri(value: str) -> str:
    """The identity of a URI with a host. Raises VerificationError (check "identity")."""
    if len(value) > _MAX_URI or not _URI.fullmatch(value):
        raise refused("identity", "this is no URI with a host", seen=value, expected="scheme://host/path")
    if value.startswith("spiffe:"):
        check_spiffe_id(value)
    return f"uri:{value}"


def check_spiffe_id(value: str) -> None:
    """One of a workload, as every leaf certificate has: X.509-SVID section 3.1. Raises VerificationError "identity"."""
    try:
        spiffe_id.check_workload(value)
    except VerificationError as error:
        raise refused("identity", "this is no SPIFFE ID", seen=error.seen, expected=error.expected) from None


def parse(text: str) -> str:
    """``text`` in its one spelling; a bare one is taken for what it looks like. Raises VerificationError."""
    kind, separator, value = text.partition(":")
    if separator and kind in _KINDS:
        return _KINDS[kind](value)
    if "://" in text:
        return uri(text)
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return dns(text)
    return ip(text)


_KINDS = {"dns": dns, "ip": ip, "uri": uri}


def of_client(issuer: str, client_id: str) -> str:
    """How a client is named in its certificate: by a URL below its issuer's, which no other client has."""
    return uri(f"{issuer.rstrip('/')}/clients/{quote(client_id, safe='')}")


def value(identity: str) -> str:
    """An identity without its kind."""
    return identity.partition(":")[2]


def host_of(identity: str) -> str:
    """The host of a URI identity, "" if it has none."""
    return urlsplit(value(identity)).hostname or ""


def general_names(identities: Iterable[str]) -> list[x509.GeneralName]:
    """The identities as a SAN holds them."""
    return [_general_name(identity) for identity in identities]


def _general_name(identity: str) -> x509.GeneralName:
    kind, _, plain = identity.partition(":")
    if kind == "dns":
        return x509.DNSName(plain)
    if kind == "ip":
        return x509.IPAddress(ipaddress.ip_address(plain))
    return x509.UniformResourceIdentifier(plain)


def of_general_names(names: Iterable[x509.GeneralName]) -> tuple[str, ...]:
    """The identities in a SAN. Raises VerificationError (check "identity") for a kind of name that is never issued."""
    found = []
    for name in names:
        if isinstance(name, x509.DNSName):
            found.append(dns(name.value))
        elif isinstance(name, x509.IPAddress):
            found.append(ip(str(name.value)))
        elif isinstance(name, x509.UniformResourceIdentifier):
            found.append(uri(name.value))
        else:
            kind = type(name).__name__
            raise refused("identity", "this kind of name is not issued", seen=kind, expected="DNS, IP address or URI")
    return tuple(found)
