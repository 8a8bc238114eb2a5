"""When to renew: ACME Renewal Information, RFC 9773."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography import x509

from ostiary.certificate_authority.acme.problems import not_found
from ostiary.errors import VerificationError
from ostiary.model.certificate import Certificate
from ostiary.protocol import base64url

RETRY_AFTER: Final = 6 * 3600
"""Seconds after which a client asks again (section 4.3: an hour to a day is sensible)."""


@dataclass(frozen=True, slots=True)
class CertificateId:
    """What section 4.1 makes of a certificate. key_identifier: of its issuer; serial: as the inventory writes it."""

    key_identifier: bytes
    serial: str


def parse_certificate_id(text: str) -> CertificateId:
    """base64url(key identifier) "." base64url(serial number). Raises Problem."""
    key, dot, serial = text.partition(".")
    try:
        octets = base64url.decode(serial.encode("ascii"))
        identifier = base64url.decode(key.encode("ascii"))
    except (VerificationError, UnicodeEncodeError):
        raise not_found("certificate") from None
    # The DER contents of the INTEGER: a positive number, in the shortest form.
    if not dot or not identifier or not octets or octets[0] & 0x80 or (octets[0] == 0 and octets[1:2] < b"\x80"):
        raise not_found("certificate")
    return CertificateId(identifier, format(int.from_bytes(octets, "big"), "x"))


def certificate_id(certificate: x509.Certificate) -> str:
    """The id of a certificate with an authority key identifier."""
    serial = certificate.serial_number
    octets = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    return ".".join(base64url.encode(part).decode("ascii") for part in (_key_identifier(certificate), octets))


def check_id(found: Certificate | None, named: CertificateId) -> Certificate:
    """The certificate that is named. Raises Problem: there is none."""
    if found is None or _key_identifier(x509.load_der_x509_certificate(found.certificate)) != named.key_identifier:
        raise not_found("certificate")
    return found


def suggested_window(certificate: Certificate, now: float) -> tuple[int, int]:
    """When to renew it, seconds since the epoch: at two thirds of its life, or at once if it was revoked."""
    if certificate.revoked_at is not None:
        # A window in the past means: at once (section 4.2).
        return certificate.not_before, max(certificate.not_before + 1, int(now) - 1)
    life = certificate.not_after - certificate.not_before
    start = certificate.not_before + life * 2 // 3
    return start, start + max(1, life // 12)


def _key_identifier(certificate: x509.Certificate) -> bytes:
    return certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier or b""
