"""Certificates for the tests, made as an authority of somebody else would: every part of them can be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ostiary.protocol.certificate_binding import thumbprint
from tests.authorization_server.world import NOW

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)
_START = datetime.fromtimestamp(int(NOW), UTC)


@dataclass(frozen=True)
class Made:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: Key

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())

    @property
    def thumbprint(self) -> str:
        return thumbprint(self.der)


@cache
def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    """One RSA key a size, made once in a run."""
    return rsa.generate_private_key(65537, bits)


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])


def key_usage(*names: str) -> x509.KeyUsage:
    known = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
        "encipher_only decipher_only"
    )
    return x509.KeyUsage(**{one: one in names for one in known.split()})


def certificate(
    subject: x509.Name,
    issuer: Made | None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
    *,
    key: Key | None = None,
    begins: int = -86_400,
    ends: int = 86_400,
) -> Made:
    """A certificate of ``issuer``, or self-signed; begins, ends: seconds from the beginning of the test's time."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    signer = issuer.key if issuer is not None else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer is not None else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_START + timedelta(seconds=begins))
        .not_valid_after(_START + timedelta(seconds=ends))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Made(builder.sign(signer, digest), key)


def authority(
    text: str = "Trusted CA",
    issuer: Made | None = None,
    *,
    path_length: int | None = None,
    constraints: x509.NameConstraints | None = None,
    is_ca: bool = True,
    **changes: Any,
) -> Made:
    """A certificate authority: a root, or one below ``issuer``."""
    key = changes.pop("key", None) or ec.generate_private_key(ec.SECP256R1())
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(is_ca, path_length if is_ca else None), True),
        (key_usage("key_cert_sign", "crl_sign"), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    ]
    if issuer is not None:
        found.append((_authority_key(issuer), False))
    if constraints is not None:
        found.append((constraints, True))
    return certificate(name(text), issuer, found, key=key, **changes)


def leaf(issuer: Made, *names: x509.GeneralName, **changes: Any) -> Made:
    """A client's certificate; subject, purposes, usage, more: what it says; the rest as of ``certificate``."""
    purposes = changes.pop("purposes", CLIENT)
    usage: x509.KeyUsage | None = changes.pop("usage", key_usage("digital_signature"))
    found: list[tuple[x509.ExtensionType, bool]] = [(_authority_key(issuer), False)]
    if names:
        found.append((x509.SubjectAlternativeName(names), False))
    if purposes:
        found.append((x509.ExtendedKeyUsage(purposes), False))
    if usage is not None:
        found.append((usage, True))
    found += changes.pop("more", ())
    return certificate(changes.pop("subject", name("shop")), issuer, found, **changes)


def self_signed(text: str = "shop", **changes: Any) -> Made:
    """As ``openssl req -x509`` makes it: a CA, by the way."""
    return certificate(name(text), None, [(x509.BasicConstraints(True, None), True)], **changes)


def unknown_to_anybody(made: x509.Certificate) -> tuple[bytes, bytes]:
    """``made`` in a version that there is none of, and with a name of a type that no name has."""
    der = made.public_bytes(serialization.Encoding.DER)
    version = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07", 1)
    common_name = b"\x06\x03\x55\x04\x03"
    return version, der.replace(common_name + b"\x0c", common_name + b"\x03")


def _authority_key(issuer: Made) -> x509.AuthorityKeyIdentifier:
    public: Any = issuer.key.public_key()
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
