"""The one subject value by which a certificate names its client: RFC 8705 section 2.1.2.

A registered value is brought into one spelling, and compared as a whole with each value of its kind in a certificate.
No wildcard stands for anything, and what is registered for one kind is never looked for in another.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import Final, Literal, get_args

from cryptography import x509
from cryptography.x509.oid import NameOID

from ostiary.protocol.certificate import Certificate

SubjectKind = Literal["subject_dn", "san_dns", "san_uri", "san_ip", "san_email"]
SUBJECT_KINDS: Final[tuple[SubjectKind, ...]] = get_args(SubjectKind)
MAX_LENGTH: Final = 1000

# RFC 4514 3 has a table of nine names; these two besides are what openssl writes.
_MORE_NAMES: Final = {"emailAddress": NameOID.EMAIL_ADDRESS, "serialNumber": NameOID.SERIAL_NUMBER}


def normal(kind: SubjectKind, value: str) -> str:
    """``value`` in its one spelling. Raises ValueError with a sentence that names the mend."""
    if not value or len(value) > MAX_LENGTH or not value.isprintable():
        raise ValueError(f"write 1 to {MAX_LENGTH} printable characters")
    return _NORMAL[kind](value)


def values(certificate: Certificate, kind: SubjectKind) -> list[str]:
    """What ``certificate`` says of this kind, each in its one spelling. Raises VerificationError("certificate")."""
    if kind == "subject_dn":
        name = certificate.parsed.subject
        return [_spelled(name)] if name.rdns else []
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    # An entry that could not be registered, such as a wildcard, names nobody.
    return [one for text in _ALTERNATIVE[kind](names) if (one := _normal_or_none(kind, text)) is not None]


def _normal_or_none(kind: SubjectKind, text: str) -> str | None:
    try:
        return normal(kind, text)
    except ValueError:
        return None


def _dn(value: str) -> str:
    try:
        name = x509.Name.from_rfc4514_string(value, _MORE_NAMES)
    except ValueError:
        raise ValueError(
            f"{value!r} is no distinguished name: write it as RFC 4514 does, as `openssl x509 -noout -subject -nameopt "
            "RFC2253` prints it"
        ) from None
    if not name.rdns:
        raise ValueError("an empty name names nobody")
    return _spelled(name)


def _spelled(name: x509.Name) -> str:
    """The RDNs as RFC 4514 orders them; within one, which is a set, the attributes in the order of their text."""
    rdns = (sorted(x509.Name([one]).rfc4514_string() for one in rdn) for rdn in reversed(name.rdns))
    return ",".join("+".join(rdn) for rdn in rdns)


def _dns(value: str) -> str:
    name = value.lower()
    labels = name.split(".")
    plain = name.isascii() and all(label and label.replace("-", "").replace("_", "").isalnum() for label in labels)
    if not plain or len(name) > 253:
        raise ValueError(f"{value!r} is no DNS name: write a whole one in ASCII, without a wildcard")
    return name


def _uri(value: str) -> str:
    if ":" not in value or not value.isascii() or " " in value:
        raise ValueError(f"{value!r} is no URI: write it exactly as the certificate has it")
    return value


def _ip(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError(f"{value!r} is no IP address, such as 192.0.2.7 or 2001:db8::7") from None


def _email(value: str) -> str:
    local, at, domain = value.rpartition("@")
    if not at or not local or not domain or not value.isascii():
        raise ValueError(f"{value!r} is no e-mail address")
    # RFC 5280 7.5: the local part is compared exactly, the host part without case.
    return f"{local}@{domain.lower()}"


_NORMAL: Final[dict[SubjectKind, Callable[[str], str]]] = {
    "subject_dn": _dn,
    "san_dns": _dns,
    "san_uri": _uri,
    "san_ip": _ip,
    "san_email": _email,
}
_ALTERNATIVE: Final[dict[SubjectKind, Callable[[x509.SubjectAlternativeName], Iterable[str]]]] = {
    "san_dns": lambda names: names.get_values_for_type(x509.DNSName),
    "san_uri": lambda names: names.get_values_for_type(x509.UniformResourceIdentifier),
    "san_ip": lambda names: (str(one) for one in names.get_values_for_type(x509.IPAddress)),
    "san_email": lambda names: names.get_values_for_type(x509.RFC822Name),
}
