"""Certificates that no authority in its right mind would issue, and some that it would, made for a test."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
DAY = datetime.timedelta(days=1)
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate, its key, and the certificates above it that are to be sent with it."""

    certificate: x509.Certificate
    key: CertificateIssuerPrivateKeyTypes
    above: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def chain(self) -> bytes:
        return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (self.certificate, *self.above))

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def write(self, folder: Path, name: str = "tls") -> tuple[Path, Path]:
        """The files of chain and key, the key replaced first, each in one step."""
        paths = folder / f"{name}.pem", folder / f"{name}.key"
        for path, content in ((paths[1], self.key_pem), (paths[0], self.chain)):
            fresh = path.with_suffix(path.suffix + ".new")
            fresh.write_bytes(content)
            fresh.chmod(0o600)
            fresh.replace(path)
        return paths


def issue(
    name: str,
    issuer: Issued | None = None,
    *,
    ca: bool = False,
    path_length: int | None = None,
    permitted: str | None = None,
    hosts: Sequence[str] = ("localhost", "127.0.0.1"),
    usages: Sequence[x509.ObjectIdentifier] = (SERVER,),
    begins: datetime.timedelta = -DAY,
    ends: datetime.timedelta = 30 * DAY,
    key: CertificateIssuerPrivateKeyTypes | None = None,
    signs: bool = True,
    crl: str | None = None,
) -> Issued:
    """A certificate below ``issuer``, or one signed by itself. begins, ends: from now. permitted: a DNS name.

    crl: the URL of a list of revoked ones, which nobody fetches.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + begins)
        .not_valid_after(NOW + ends)
        .add_extension(x509.BasicConstraints(ca, path_length), critical=True)
    )
    if permitted is not None:
        builder = builder.add_extension(x509.NameConstraints([x509.DNSName(permitted)], None), critical=True)
    if crl is not None:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(crl)], None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    if not ca:
        builder = _for_a_leaf(builder, hosts, usages, signs)
    signed = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    above = () if issuer is None or issuer.certificate.issuer == issuer.certificate.subject else _with_above(issuer)
    return Issued(signed, key, above)


def _with_above(issuer: Issued) -> tuple[x509.Certificate, ...]:
    return (issuer.certificate, *issuer.above)


def _for_a_leaf(
    builder: x509.CertificateBuilder, hosts: Sequence[str], usages: Sequence[x509.ObjectIdentifier], signs: bool
) -> x509.CertificateBuilder:
    names = [_general_name(host) for host in hosts]
    usage = x509.KeyUsage(signs, False, True, False, False, False, False, False, False)
    builder = builder.add_extension(usage, critical=True)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
    return builder.add_extension(x509.SubjectAlternativeName(names), critical=False) if names else builder


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
