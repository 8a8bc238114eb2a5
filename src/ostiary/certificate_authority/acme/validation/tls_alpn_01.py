"""tls-alpn-01 (RFC 8737, RFC 8738 section 6): a certificate for the name alone, with the digest in an extension."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import ssl
from typing import Final

from cryptography import x509

from ostiary.certificate_authority import identities
from ostiary.certificate_authority.acme.validation.failure import ChallengeFailed
from ostiary.certificate_authority.acme.validation.reach import Reach

PROTOCOL: Final = "acme-tls/1"
ACME_IDENTIFIER: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")


async def validate(reach: Reach, identifier: str, token: str, key_authorization: str) -> None:
    """Raises ChallengeFailed. ``token`` is in the key authorization already."""
    host = identities.value(identifier)
    failure: ChallengeFailed | None = None
    for address in (await reach.addresses(identifier))[:4]:
        try:
            name = server_name(identifier)
            der = await _certificate(str(address), reach.tls_port, name, reach.timeout)
        except ssl.SSLError as error:
            failure = ChallengeFailed("tls", f"no handshake with {host}:{reach.tls_port}: {error.reason}")
        except OSError as error:
            failure = ChallengeFailed("connection", f"{host}:{reach.tls_port} gave no answer: {type(error).__name__}")
        else:
            check_certificate(der, identifier, key_authorization)
            return
    raise failure or ChallengeFailed("dns", f"{host} has no address")


def server_name(identifier: str) -> str:
    """What stands in SNI: the name; of an address its name of the reverse mapping (RFC 8738 section 6)."""
    value = identities.value(identifier)
    return value if identifier.startswith("dns:") else ipaddress.ip_address(value).reverse_pointer


def check_certificate(der: bytes, identifier: str, key_authorization: str) -> None:
    """RFC 8737 section 3, step 4. Raises ChallengeFailed."""
    try:
        extensions = x509.load_der_x509_certificate(der).extensions
        names = list(extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
        found = extensions.get_extension_for_oid(ACME_IDENTIFIER)
        value = found.value.value if isinstance(found.value, x509.UnrecognizedExtension) else b""
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise ChallengeFailed("unauthorized", "the certificate shown is not one for this challenge") from None
    # The name that is validated and no other entry, compared without regard to case.
    if len(names) != 1 or not _is(names[0], identifier):
        raise ChallengeFailed("unauthorized", "the certificate shown is not for this name alone")
    # A critical acmeIdentifier with the SHA-256 digest: an OCTET STRING of 32 octets.
    digest = hashlib.sha256(key_authorization.encode("ascii")).digest()
    if not found.critical or not hmac.compare_digest(value, b"\x04\x20" + digest):
        raise ChallengeFailed("unauthorized", "the acmeIdentifier of the certificate shown is not the expected one")


def _is(name: x509.GeneralName, identifier: str) -> bool:
    value = identities.value(identifier)
    if isinstance(name, x509.DNSName):
        return identifier == f"dns:{name.value.lower()}"
    return isinstance(name, x509.IPAddress) and identifier.startswith("ip:") and str(name.value) == value


async def _certificate(address: str, port: int, name: str, seconds: float) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The certificate is self-signed; what it must say is checked above, and the handshake proves its key.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([PROTOCOL])
    _, writer = await asyncio.open_connection(
        address, port, ssl=context, server_hostname=name, ssl_handshake_timeout=seconds
    )
    try:
        tls = writer.get_extra_info("ssl_object")
        # A server that never heard of this protocol has not agreed to answer for the name (RFC 8737 section 3).
        if tls.selected_alpn_protocol() != PROTOCOL:
            raise ChallengeFailed("unauthorized", f"the server at {address} does not speak {PROTOCOL}")
        der: bytes | None = tls.getpeercert(binary_form=True)
        return der or b""
    finally:
        writer.transport.abort()
