"""What a certificate says, before it is signed: every field from the profile and the authority, none from a request.

RFC 5280 section 4; for a workload X.509-SVID sections 2 to 5.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from ostiary.certificate_authority import identities as names
from ostiary.certificate_authority import subject_keys
from ostiary.certificate_authority.profiles import Profile
from ostiary.protocol.algorithms import PublicKey

BACKDATED: Final = 60
"""Seconds by which a certificate begins earlier than it was issued, for clocks that are behind."""

MAX_COMMON_NAME: Final = 64
"""Octets of UTF-8: RFC 5280 appendix A.1 (ub-common-name) counts characters, pyca/cryptography octets."""


@dataclass(frozen=True, slots=True)
class CaUrls:
    """Where others reach what an authority tells: its revocation list, its OCSP responder, its own certificate."""

    crl: str
    ocsp: str
    certificate: str


@dataclass(frozen=True, slots=True)
class CertificateForm:
    """Times in seconds since the epoch. common_name: for people, "" for none; names count as they stand in the SAN."""

    serial: int
    profile: Profile
    identities: tuple[str, ...]
    public_key: PublicKey
    common_name: str
    not_before: int
    not_after: int

    def builder(self, issuer: x509.Certificate, urls: CaUrls) -> x509.CertificateBuilder:
        """All of it but the signature."""
        return builder(
            self.subject(),
            issuer.subject,
            self.public_key,
            self.serial,
            self.not_before,
            self.not_after,
            self.extensions(issuer, urls),
        )

    def subject(self) -> x509.Name:
        """The common name, if there is one that fits."""
        return subject(self.common_name)

    def extensions(self, issuer: x509.Certificate, urls: CaUrls) -> tuple[tuple[x509.ExtensionType, bool], ...]:
        """Each with whether it is critical, as they stand in the certificate."""
        has_subject = bool(list(self.subject()))
        return (
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (leaf_usage(), True),
            (x509.ExtendedKeyUsage(self.profile.usages), False),
            # "If the subject field contains an empty sequence, then ... the subjectAltName extension ... critical."
            (x509.SubjectAlternativeName(names.general_names(self.identities)), not has_subject),
            (x509.SubjectKeyIdentifier(subject_keys.key_identifier(self.public_key)), False),
            (authority_key(issuer), False),
            (x509.CRLDistributionPoints([_distribution_point(urls.crl)]), False),
            (x509.AuthorityInformationAccess(_access(urls)), False),
        )


Extensions = Iterable[tuple[x509.ExtensionType, bool]]


def builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: PublicKey,
    serial: int,
    not_before: int,
    not_after: int,
    extensions: Extensions,
) -> x509.CertificateBuilder:
    """A certificate of version 3; extensions: each with whether it is critical."""
    made = x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key,
        serial_number=serial,
        not_valid_before=moment(not_before),
        not_valid_after=moment(not_after),
    )
    for extension, critical in extensions:
        made = made.add_extension(extension, critical)
    return made


def new_serial() -> int:
    """127 random bits: never twice, positive, 16 octets at most (RFC 5280 4.1.2.2: 20)."""
    return secrets.randbits(126) | 1 << 126


def serial_text(serial: int) -> str:
    """As it is kept and shown: lower-case hex."""
    return f"{serial:x}"


def moment(seconds: int) -> datetime:
    """UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def subject(common_name: str, organization: str = "") -> x509.Name:
    """A name of one or two parts, or none; a common name that is too long is left out."""
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    if common_name and len(common_name.encode("utf-8")) <= MAX_COMMON_NAME:
        parts.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    return x509.Name(parts)


def leaf_usage() -> x509.KeyUsage:
    """A leaf signs (handshakes), and nothing else."""
    return _usage(digital_signature=True)


def authority_usage() -> x509.KeyUsage:
    """An authority signs certificates, revocation lists and OCSP answers."""
    return _usage(digital_signature=True, key_cert_sign=True, crl_sign=True)


def authority_key(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Names the issuer's key as the issuer's certificate does."""
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _usage(*, digital_signature: bool, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _distribution_point(url: str) -> x509.DistributionPoint:
    return x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)


def _access(urls: CaUrls) -> list[x509.AccessDescription]:
    return [
        x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(urls.ocsp)),
        x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(urls.certificate)
        ),
    ]
