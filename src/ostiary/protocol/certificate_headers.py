"""The client's certificate in a request's header fields, as a proxy that ends TLS hands it on, strictly.

``Client-Cert`` (RFC 9440), Envoy's ``X-Forwarded-Client-Cert``, and PEM with percent-encoding, as nginx writes it.
Whether the fields may be believed is for the caller to decide; here they are only read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from ostiary.protocol.certificate_text import MAX_LENGTH, from_base64, from_escaped_pem, unusable
from ostiary.protocol.checks import shown

CLIENT_CERT: Final = "client-cert"
CLIENT_CERT_CHAIN: Final = "client-cert-chain"
X_FORWARDED_CLIENT_CERT: Final = "x-forwarded-client-cert"

_BYTE_SEQUENCE = re.compile(rb":([A-Za-z0-9+/=]*):")
_BYTE_SEQUENCES = re.compile(rb":[A-Za-z0-9+/=]+:(?:[ \t]*,[ \t]*:[A-Za-z0-9+/=]+:)*")
# Envoy: keys without regard to case; a value with "," ";" or "=" in it is quoted, and a quote in it escaped.
_PAIR = re.compile(rb'([A-Za-z]+)=("[^"\\]*(?:\\.[^"\\]*)*"|[^",;=\s]*)(;|,|\Z)')
_REPEATED = frozenset({"uri", "dns", "by"})


def values_of(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """Every value of the field ``name`` (lower case) in ``headers``, in order. Raises VerificationError.

    A field that only some would take for ``name`` (an underscore for a hyphen, capitals that the server left) is
    refused: what one part of a chain strips, the next must not find under another spelling.
    """
    found = []
    for spelled, value in headers:
        if spelled == name:
            found.append(value.strip(b" \t"))
        elif len(spelled) == len(name) and spelled.lower().replace(b"_", b"-") == name:
            raise unusable(
                f"a header spelled {shown(spelled.decode('latin-1'))}",
                expected=f"{name.decode()} alone",
                mend="let the proxy drop such headers; nginx: underscores_in_headers off",
            )
    return found


def is_sent(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> bool:
    """Whether ``headers`` hold the field ``name`` (lower case), in whatever spelling."""
    return any(len(each) == len(name) and each.lower().replace(b"_", b"-") == name for each, _ in headers)


def sole(values: Sequence[bytes]) -> bytes:
    """The one of ``values``. Raises VerificationError for several, and for an empty one."""
    if len(values) != 1:
        raise unusable(f"{len(values)} headers with a certificate", expected="exactly one")
    if not values[0]:
        raise unusable("an empty certificate header")
    if len(values[0]) > MAX_LENGTH:
        raise unusable("a header that is too long", expected=f"at most {MAX_LENGTH} characters")
    return values[0]


def client_cert(certificates: Sequence[bytes], chains: Sequence[bytes] = ()) -> bytes:
    """The DER octets of the values of ``Client-Cert``, looking at those of ``Client-Cert-Chain`` beside it.

    "It is a singleton header field value (...), which MUST NOT have a list of values or occur multiple times in a
    request." RFC 9440 section 2.2. "The Client-Cert-Chain header field MUST NOT appear unless Client-Cert is also
    present" section 2.3. Raises VerificationError.
    """
    if chains and not certificates:
        raise unusable("Client-Cert-Chain without Client-Cert")
    value = sole(certificates)
    found = _BYTE_SEQUENCE.fullmatch(value)
    if found is None:
        raise unusable("Client-Cert that is not one byte sequence", expected=":BASE64: (RFC 8941 section 3.3.5)")
    for chain in chains:
        if _BYTE_SEQUENCES.fullmatch(chain) is None:
            raise unusable("Client-Cert-Chain that is not a list of byte sequences")
    return from_base64(found[1])


def escaped_pem(values: Sequence[bytes]) -> bytes:
    """The DER octets of a header with percent-encoded PEM. Raises VerificationError."""
    return from_escaped_pem(sole(values))


def x_forwarded_client_cert(values: Sequence[bytes]) -> bytes:
    """The DER octets of ``Cert`` in Envoy's header, which must have the digest that ``Hash`` says.

    One element is one hop. More of them would leave open which of the peers is the client, so they are refused: the
    outermost Envoy wants ``forward_client_cert_details: SANITIZE_SET``. Envoy always writes ``Hash``; demanding it
    keeps a name in a certificate that reads like a further pair from replacing ``Cert``. Raises VerificationError.
    """
    element = _element(sole(values))
    if element.certificate is None:
        raise unusable(
            "X-Forwarded-Client-Cert without Cert", mend="set set_current_client_cert_details: {cert: true} in Envoy"
        )
    certificate = from_escaped_pem(element.certificate)
    if element.digest is None:
        raise unusable("X-Forwarded-Client-Cert without Hash", expected="Hash, which Envoy always writes")
    if element.digest.lower() != sha256(certificate).hexdigest().encode():
        raise unusable("X-Forwarded-Client-Cert whose Cert has another digest than its Hash says")
    return certificate


class _Element(NamedTuple):
    certificate: bytes | None
    digest: bytes | None


def _element(value: bytes) -> _Element:
    pairs: dict[str, bytes] = {}
    position, more = 0, True
    while more:
        pair = _PAIR.match(value, position)
        if pair is None:
            raise unusable("X-Forwarded-Client-Cert that cannot be read")
        if pair[3] == b",":
            raise unusable("X-Forwarded-Client-Cert with more than one element", expected="the one hop of this proxy")
        name = pair[1].decode("ascii").lower()
        if name in pairs and name not in _REPEATED:
            raise unusable(f"X-Forwarded-Client-Cert with {name} twice")
        pairs[name] = _unquoted(pair[2])
        position, more = pair.end(), pair[3] == b";"
    return _Element(pairs.get("cert"), pairs.get("hash"))


def _unquoted(value: bytes) -> bytes:
    if value[:1] != b'"':
        return value
    return re.sub(rb"\\(.)", rb"\1", value[1:-1]) if b"\\" in value else value[1:-1]
