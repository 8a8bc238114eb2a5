"""A client's certificate as the TLS layer hands it over: read, named for a trace, its key and its period looked at.

That the peer holds its private key is TLS's word (RFC 8446 section 4.4.3); whether it means anything is said elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from ostiary.errors import VerificationError
from ostiary.protocol import jwk_members, pem
from ostiary.protocol.algorithms import PublicKey
from ostiary.protocol.certificate_binding import thumbprint
from ostiary.protocol.checks import CERTIFICATE, shown

UNUSABLE = "the client certificate may not be used"
_REMEMBERED = 256
UNREADABLE = (ValueError, TypeError, x509.InvalidVersion)
"""What ``cryptography`` raises of octets that are no certificate, or one with a version or a name that nobody knows."""
MAX_DER = 16_384
"""Octets; more is no certificate of a client."""


@dataclass(frozen=True)
class Certificate:
    """A certificate that could be read. der: as it was presented; thumbprint: ``x5t#S256`` (RFC 8705 section 3.1)."""

    der: bytes = field(repr=False)
    thumbprint: str
    parsed: x509.Certificate = field(repr=False)

    @property
    def not_before(self) -> int:
        """The beginning of its period, seconds since the epoch."""
        return int(self.parsed.not_valid_before_utc.timestamp())

    @property
    def not_after(self) -> int:
        """The last second of its period, seconds since the epoch; RFC 5280 4.1.2.5: inclusive."""
        return int(self.parsed.not_valid_after_utc.timestamp())

    @cached_property
    def extensions(self) -> x509.Extensions:
        """Its extensions. Raises VerificationError("certificate") for one that is broken or doubled."""
        try:
            return self.parsed.extensions
        except (*UNREADABLE, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
            raise unusable("an extension that is broken or doubled", "a certificate after RFC 5280") from None

    @cached_property
    def public_key(self) -> PublicKey:
        """See ``public_key_of``."""
        try:
            key = pem.checked_public(self.parsed.public_key())
            jwk_members.public_members(key)  # refuses a curve that is not ours
        except (ValueError, UnsupportedAlgorithm):
            raise unusable("a key that cannot be read", "EC, Ed25519 or RSA") from None
        except VerificationError as error:
            mend = "make a new key and a new certificate"
            raise unusable(error.seen, error.expected or "a strong key", mend) from None
        return key

    @cached_property
    def key_thumbprint(self) -> str:
        """See ``key_thumbprint_of``."""
        return jwk_members.thumbprint(jwk_members.public_members(self.public_key))

    @property
    def pem(self) -> str:
        """The certificate as PEM text."""
        return self.parsed.public_bytes(serialization.Encoding.PEM).decode("ascii")

    def told(self) -> str:
        """What a trace says of it: thumbprint, end, subject, issuer."""
        end = f"{datetime.fromtimestamp(self.not_after, UTC):%Y-%m-%d %H:%M:%S}Z"
        subject, issuer = (_name(name)[:60] for name in (self.parsed.subject, self.parsed.issuer))
        return shown(f"{self.thumbprint}, until {end}, subject {subject}, issuer {issuer}")


@lru_cache(_REMEMBERED)
def read(der: bytes) -> Certificate:
    """The certificate in ``der``, once for all requests of its connections. Raises VerificationError("certificate")."""
    if len(der) > MAX_DER:
        raise unusable(f"{len(der)} octets", f"at most {MAX_DER}")
    try:
        parsed = x509.load_der_x509_certificate(der)
        found = Certificate(der, thumbprint(der), parsed)
        # Read here already, so that one with a name or an end that cannot be read is refused as unreadable.
        parsed.subject, parsed.issuer, parsed.not_valid_after_utc  # noqa: B018
    except UNREADABLE:
        raise unusable("what is no certificate", "a certificate in DER") from None
    return found


def read_pem(text: bytes) -> list[Certificate]:
    """Every certificate in ``text``, at least one; a private key is refused. Raises VerificationError."""
    if b"PRIVATE KEY" in text:
        raise unusable(
            "a private key beside the certificate", "the certificate alone", "keep the private key where it is"
        )
    try:
        found = x509.load_pem_x509_certificates(text)
    except UNREADABLE:
        raise unusable("no certificate in PEM", "-----BEGIN CERTIFICATE-----") from None
    return [read(one.public_bytes(serialization.Encoding.DER)) for one in found]


def public_key_of(certificate: Certificate) -> PublicKey:
    """Its public key, if type and strength are ours: EC P-256, P-384, P-521, Ed25519, RSA of 2048 bits and more.

    Raises VerificationError("certificate"). FAPI 2.0 Security Profile 5.4.1.
    """
    return certificate.public_key


def key_thumbprint_of(certificate: Certificate) -> str:
    """The thumbprint of its public key, RFC 7638. Raises VerificationError("certificate")."""
    return certificate.key_thumbprint


def check_period(certificate: Certificate, now: float) -> None:
    """``now`` (seconds since the epoch) must lie in its period. Raises VerificationError("certificate")."""
    if not certificate.not_before <= now < certificate.not_after + 1:
        raise unusable(
            ("not valid yet: " if now < certificate.not_before else "expired: ") + certificate.told(),
            "a certificate within its period",
            "renew the certificate; look at the clock of whoever issued it",
        )


def unusable(seen: str, expected: str, mend: str = "") -> VerificationError:
    """The refusal of a certificate."""
    return VerificationError(CERTIFICATE, UNUSABLE, seen=seen, expected=expected, mend=mend)


def _name(name: x509.Name) -> str:
    return name.rfc4514_string() or "(none)"
