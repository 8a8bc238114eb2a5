"""What was signed is parsed again and compared, field by field, with what was meant: before it leaves.

A fault anywhere between the form and the signature (a library, a token, a bit) makes no certificate.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from ostiary.certificate_authority import identities, subject_keys
from ostiary.certificate_authority.form import CaUrls, CertificateForm, leaf_usage, moment
from ostiary.errors import Unavailable

_EXTENSIONS = frozenset(
    kind.oid
    for kind in (
        x509.BasicConstraints,
        x509.KeyUsage,
        x509.ExtendedKeyUsage,
        x509.SubjectAlternativeName,
        x509.SubjectKeyIdentifier,
        x509.AuthorityKeyIdentifier,
        x509.CRLDistributionPoints,
        x509.AuthorityInformationAccess,
    )
)


def recheck(der: bytes, form: CertificateForm, issuer: x509.Certificate, urls: CaUrls) -> x509.Certificate:
    """The certificate in ``der``. Raises Unavailable where it is not what the form says: it is thrown away."""
    try:
        made = x509.load_der_x509_certificate(der)
        # Compares the names and verifies the signature by the issuer's public key.
        made.verify_directly_issued_by(issuer)
        wrong = [what for what, right in _fields(made, form, issuer, urls) if not right]
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound) as error:
        wrong = [type(error).__name__]
    if wrong:
        raise Unavailable("certificate authority", f"what was signed is not what was meant: {', '.join(wrong)}")
    return made


def _fields(
    made: x509.Certificate, form: CertificateForm, issuer: x509.Certificate, urls: CaUrls
) -> list[tuple[str, bool]]:
    extensions = made.extensions
    basic = extensions.get_extension_for_class(x509.BasicConstraints)
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    san = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    return [
        ("version", made.version is x509.Version.v3),
        ("subject", made.subject == form.subject()),
        ("serial number", made.serial_number == form.serial),
        (
            "public key",
            subject_keys.spki(subject_keys.checked(made.public_key())) == subject_keys.spki(form.public_key),
        ),
        ("not before", made.not_valid_before_utc == moment(form.not_before)),
        ("not after", made.not_valid_after_utc == moment(form.not_after)),
        ("within the authority's life", made.not_valid_after_utc <= issuer.not_valid_after_utc),
        ("basic constraints", basic.critical and not basic.value.ca),
        ("key usage", usage.critical and usage.value == leaf_usage()),
        ("extended key usage", tuple(purposes) == form.profile.usages),
        ("names", identities.of_general_names(san) == form.identities),
        ("extensions", {extension.oid for extension in extensions} == _EXTENSIONS),
        ("contents", tuple((one.value, one.critical) for one in extensions) == form.extensions(issuer, urls)),
    ]
