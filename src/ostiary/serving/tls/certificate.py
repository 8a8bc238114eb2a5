"""A server certificate with its key, checked before anybody is shown it: RFC 5280, RFC 9325."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID

from ostiary.errors import ConfigurationError

MIN_RSA_BITS: Final = 2048
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_BROKEN_HASHES = ("md5", "sha1")
_MANY = 10  # no chain is longer


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """chain: leaf first, then who issued it. key: PEM, never shown in a representation."""

    chain: tuple[x509.Certificate, ...]
    key: bytes = field(repr=False)

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate of the server itself."""
        return self.chain[0]

    @property
    def thumbprint(self) -> str:
        """SHA-256 of the leaf, in hexadecimal digits."""
        return self.leaf.fingerprint(hashes.SHA256()).hex()

    @property
    def expires_at(self) -> float:
        """Seconds since the epoch."""
        return self.leaf.not_valid_after_utc.timestamp()

    def is_due(self, now: float) -> bool:
        """Whether less than a third of its life is left at ``now``."""
        life = self.leaf.not_valid_after_utc - self.leaf.not_valid_before_utc
        return self.expires_at - now < life.total_seconds() / 3

    def covers(self, host: str) -> bool:
        """Whether a client that asked for ``host`` takes it: RFC 9525 section 6.3, by its alternative names alone."""
        try:
            names = self.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return False
        if host in [str(address) for address in names.get_values_for_type(x509.IPAddress)]:
            return True
        host, above = host.lower(), host.lower().partition(".")[2]
        known = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
        return host in known or (bool(above) and f"*.{above}" in known)

    @property
    def stands_alone(self) -> bool:
        """Whether somebody else issued the leaf and the chain does not say who: good only if a root did."""
        return len(self.chain) == 1 and self.leaf.issuer != self.leaf.subject

    def pem(self) -> bytes:
        """Key and chain, as OpenSSL reads them from one file."""
        parts = [certificate.public_bytes(serialization.Encoding.PEM) for certificate in self.chain]
        return b"".join([self.key, *parts])


def checked_certificate(chain: bytes, key: bytes, *, where: str, now: float) -> ServerCertificate:
    """The certificate of two PEM texts.

    where: names its files in an error. now: seconds since the epoch.

    Raises ConfigurationError: no PEM, an encrypted key, key and certificate of different pairs, outside its validity,
    a weak key or signature, not for servers, or a chain with a gap.
    """
    certificates, private = _certificates(chain, where), _private_key(key, where)
    leaf = certificates[0]
    _check_pair(leaf, private, where)
    _check_validity(leaf, where, now)
    _check_purpose(leaf, where)
    _check_strength(certificates, where)
    _check_chain(certificates, where)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return ServerCertificate(certificates, pem)


def _certificates(chain: bytes, where: str) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(x509.load_pem_x509_certificates(chain))[:_MANY]
    except ValueError:
        raise ConfigurationError(f"{where}: there is no certificate in PEM form: name the right file.") from None


def _private_key(key: bytes, where: str) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(key, None)
    except TypeError:
        # Else OpenSSL would ask the terminal for it, in each worker.
        raise ConfigurationError(f"{where}: the private key is encrypted: store it decrypted, mode 0600.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigurationError(f"{where}: there is no private key in PEM form: name the right file.") from None


def _check_pair(leaf: x509.Certificate, key: PrivateKeyTypes, where: str) -> None:
    if key.public_key() != leaf.public_key():
        raise ConfigurationError(
            f"{where}: certificate and key do not belong together: name the key that it was issued for, and put the "
            "leaf first in the certificate's file."
        )


def _check_validity(leaf: x509.Certificate, where: str, now: float) -> None:
    at = datetime.fromtimestamp(now, UTC)
    if leaf.not_valid_after_utc <= at:
        raise ConfigurationError(f"{where}: the certificate expired on {leaf.not_valid_after_utc:%Y-%m-%d}: renew it.")
    if leaf.not_valid_before_utc > at:
        raise ConfigurationError(
            f"{where}: the certificate is not valid before {leaf.not_valid_before_utc.isoformat()}: "
            "wait, or set the clock of this machine."
        )


def _check_purpose(leaf: x509.Certificate, where: str) -> None:
    for extension in leaf.extensions:
        value = extension.value
        if isinstance(value, x509.ExtendedKeyUsage) and ExtendedKeyUsageOID.SERVER_AUTH not in value:
            raise ConfigurationError(f"{where}: the certificate is not for servers (extendedKeyUsage): get another.")
        # "digitalSignature ... If the keyUsage extension is present, [it] MUST be set" RFC 8446 4.4.2.2, of signing
        if isinstance(value, x509.KeyUsage) and not value.digital_signature:
            raise ConfigurationError(f"{where}: the certificate's key may not sign (keyUsage): get another.")


def _check_strength(certificates: tuple[x509.Certificate, ...], where: str) -> None:
    for certificate in certificates:
        key = certificate.public_key()
        strong = (
            (isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS)
            or (isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES)
            or isinstance(key, ed25519.Ed25519PublicKey)
        )
        if not strong:
            raise ConfigurationError(
                f"{where}: the key of {certificate.subject.rfc4514_string()} is too weak or none of TLS: use ECDSA "
                f"P-256 or P-384, Ed25519, or RSA of {MIN_RSA_BITS} bits and more."
            )
        algorithm = certificate.signature_hash_algorithm
        if algorithm is not None and algorithm.name in _BROKEN_HASHES and certificate.issuer != certificate.subject:
            raise ConfigurationError(
                f"{where}: {certificate.subject.rfc4514_string()} is signed with {algorithm.name}: get another."
            )


def _check_chain(certificates: tuple[x509.Certificate, ...], where: str) -> None:
    # "each following certificate SHOULD directly certify the one immediately preceding it" RFC 8446 4.4.2; a client
    # of our own kind does not guess.
    for below, above in itertools.pairwise(certificates):
        try:
            below.verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature):
            raise ConfigurationError(
                f"{where}: the chain has a gap: {above.subject.rfc4514_string()} did not issue "
                f"{below.subject.rfc4514_string()}: put the leaf first, then each certificate's issuer."
            ) from None
