"""How authorities come into being: the root, whose key is to be kept offline, and the CAs that issue under it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from ostiary.certificate_authority import form, subject_keys
from ostiary.certificate_authority.ca_key import HASHES, CaPrivateKey
from ostiary.certificate_authority.form import CaUrls
from ostiary.certificate_authority.name_constraints import NameConstraints, of_certificate
from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import pem
from ostiary.protocol.algorithms import PublicKey

YEAR: Final = 365 * 86_400
ROOT_LIFE: Final = 10 * YEAR
ISSUING_LIFE: Final = 2 * YEAR


@dataclass(frozen=True, slots=True)
class Root:
    """A root and what signs by it, for as long as its key is at hand."""

    certificate: x509.Certificate
    key: CaPrivateKey
    alg: str


def authority_id(key: PublicKey) -> str:
    """The subject key identifier in hex."""
    return subject_keys.key_identifier(key).hex()


def authority_id_of(certificate: x509.Certificate) -> str:
    """The same, of the certificate of an authority."""
    return authority_id(subject_keys.checked(certificate.public_key()))


def new_root(name: str, key: CaPrivateKey, alg: str, now: float) -> Root:
    """A root, signed by itself. name: the organization; it stands in the subject. It lives for ten years."""
    public = subject_keys.checked(key.public_key())
    subject = form.subject(_common_name(name, "Root CA"), name)
    extensions = (
        (x509.BasicConstraints(ca=True, path_length=1), True),
        (form.authority_usage(), True),
        (x509.SubjectKeyIdentifier(subject_keys.key_identifier(public)), False),
    )
    begin = math.floor(now) - form.BACKDATED
    made = form.builder(
        subject, subject, public, form.new_serial(), begin, math.floor(now) + ROOT_LIFE, extensions
    ).sign(key, HASHES[alg])
    made.verify_directly_issued_by(made)
    return Root(made, key, alg)


def new_issuing(
    root: Root, name: str, public: PublicKey, constraints: NameConstraints, urls: CaUrls, now: float
) -> x509.Certificate:
    """The certificate of a CA that issues under ``root``, for two years or as long as the root lives.

    urls: where the root's revocation list and certificate are.
    """
    number = authority_id(public)[:8]
    until = min(math.floor(now) + ISSUING_LIFE, math.floor(root.certificate.not_valid_after_utc.timestamp()))
    permitted = constraints.extension()
    extensions = [
        # "pathLenConstraint 0": what it issues cannot issue.
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (form.authority_usage(), True),
        (x509.SubjectKeyIdentifier(subject_keys.key_identifier(public)), False),
        (form.authority_key(root.certificate), False),
        (x509.CRLDistributionPoints([_point(urls.crl)]), False),
        (x509.AuthorityInformationAccess([_issuer_at(urls.certificate)]), False),
        *([(permitted, True)] if permitted is not None else []),
    ]
    made = form.builder(
        form.subject(_common_name(name, f"Issuing CA {number}"), name),
        root.certificate.subject,
        public,
        form.new_serial(),
        math.floor(now) - form.BACKDATED,
        until,
        extensions,
    ).sign(root.key, HASHES[root.alg])
    check_issuing(made, root.certificate, public)
    if of_certificate(made) != constraints:
        raise ConfigurationError("The name constraints of the issuing CA did not come out as they were given.")
    return made


def check_root(certificate: x509.Certificate, now: float) -> None:
    """Whether a CA that issues can stand below it. now: seconds since the epoch. Raises ConfigurationError."""
    extensions = certificate.extensions
    try:
        basic = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound as error:
        raise ConfigurationError(f"The root is not one of a CA: its certificate lacks {error.oid._name}.") from None
    # RFC 5280 4.2.1.9: "pathLenConstraint ... gives the maximum number of ... intermediate certificates".
    if not (basic.ca and basic.path_length != 0 and usage.key_cert_sign and usage.crl_sign):
        raise ConfigurationError("The root's certificate does not let it sign CAs and revocation lists: name a root.")
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begin.timestamp() <= now < end.timestamp():
        raise ConfigurationError(
            f"The root is good from {begin:%F} to {end:%F} alone: set the clock right, or found a new CA."
        )


def check_issuing(certificate: x509.Certificate, root: x509.Certificate, public: PublicKey) -> None:
    """Whether this is a CA under ``root`` for our key. Raises ConfigurationError."""
    try:
        certificate.verify_directly_issued_by(root)
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        fits = subject_keys.spki(subject_keys.checked(certificate.public_key())) == subject_keys.spki(public)
        identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except Exception as error:
        raise ConfigurationError(f"This is no CA certificate under the root given ({type(error).__name__}).") from None
    if not (basic.critical and basic.value.ca and usage.key_cert_sign and usage.crl_sign and fits):
        raise ConfigurationError("This certificate is not one of an issuing CA for the key that is here.")
    if identifier != subject_keys.key_identifier(public):
        raise ConfigurationError(
            "The subject key identifier is not ours: sign the request with the identifier that it names."
        )


def root_from_pem(certificate: bytes, key: bytes, *, passphrase: bytes | None = None) -> Root:
    """The root in two PEM files, its key in PKCS 8. Raises ConfigurationError."""
    try:
        loaded = x509.load_pem_x509_certificate(certificate)
        private = serialization.load_pem_private_key(key, passphrase)
        checked = pem.checked_private(private)
        public = subject_keys.checked(loaded.public_key())
    except TypeError:
        # pyca/cryptography: a passphrase is missing, or is given for a key that has none.
        said = "encrypted: give --root-passphrase-file" if passphrase is None else "not encrypted: give no passphrase"
        raise ConfigurationError(f"The root's key is {said}.") from None
    except (ValueError, VerificationError) as error:
        raise ConfigurationError(f"The root cannot be read: {error}.") from None
    if subject_keys.spki(checked.public_key()) != subject_keys.spki(public):
        raise ConfigurationError("The root's key does not belong to its certificate: name the files of one root.")
    return Root(loaded, checked, alg_of(public))


def alg_of(public: PublicKey) -> str:
    """How a key of this kind signs certificates."""
    size = {"secp256r1": "ES256", "secp384r1": "ES384"}
    if hasattr(public, "curve"):
        return size[public.curve.name]
    return "RS256" if hasattr(public, "key_size") else "EdDSA"


def _common_name(name: str, rest: str) -> str:
    """Both, the name cut where they would be too long: what tells the authorities apart stands last."""
    room = form.MAX_COMMON_NAME - len(rest) - 1
    return f"{name.encode('utf-8')[:room].decode('utf-8', 'ignore').strip()} {rest}"


def _point(url: str) -> x509.DistributionPoint:
    return x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)


def _issuer_at(url: str) -> x509.AccessDescription:
    return x509.AccessDescription(
        x509.oid.AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(url)
    )
