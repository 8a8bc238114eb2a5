"""Certificate signing requests (RFC 2986): proof of possession, and what may not stand in one.

Only the public key is taken from a request. What it asks for besides is compared with what will be granted, so that
nobody takes a certificate for more than it is: a name that is not granted, or a wish to be a CA, refuses the request.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from ostiary.certificate_authority import identities, subject_keys
from ostiary.certificate_authority.refusal import refused
from ostiary.errors import VerificationError
from ostiary.protocol.algorithms import PublicKey

MAX_BYTES = 16_384
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


def parse(document: bytes) -> x509.CertificateSigningRequest:
    """The request in ``document`` (PEM or DER), its signature verified. Raises VerificationError (check "csr")."""
    if len(document) > MAX_BYTES:
        raise _unreadable(f"{len(document)} octets", f"at most {MAX_BYTES}")
    try:
        is_pem = b"-----BEGIN" in document
        request = (x509.load_pem_x509_csr if is_pem else x509.load_der_x509_csr)(document)
        signed = request.is_signature_valid
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm, InvalidSignature):
        raise _unreadable("something else", "PKCS #10 in PEM or DER, signed by its key") from None
    if not signed:
        raise refused("csr", "the signature of the request is broken", expected="a signature by the key in it")
    return request


def public_key(request: x509.CertificateSigningRequest) -> PublicKey:
    """The key that is to be certified. Raises VerificationError (check "key")."""
    try:
        return subject_keys.checked(request.public_key())
    except (ValueError, UnsupportedAlgorithm):
        raise refused("key", "the public key cannot be read", expected="P-256, P-384, Ed25519 or RSA") from None


def names_in(request: x509.CertificateSigningRequest) -> tuple[str, ...]:
    """The identities that the request asks for. Raises VerificationError for names that are never issued."""
    found = _extension(request, x509.SubjectAlternativeName)
    return identities.of_general_names(found) if found is not None else ()


def check_asks_for_no_more(request: x509.CertificateSigningRequest, granted: Collection[str]) -> None:
    """Raises VerificationError: it asks to be a CA, or for a name that is not ``granted``."""
    constraints = _extension(request, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise refused("csr", "the request asks to be a CA", seen="CA:TRUE", expected="CA:FALSE or nothing")
    usage = _extension(request, x509.KeyUsage)
    if usage is not None and (usage.key_cert_sign or usage.crl_sign):
        raise refused("csr", "the request asks to sign certificates", seen="keyCertSign", expected="digitalSignature")
    foreign = [one for one in names_in(request) if one not in granted]
    if foreign:
        raise refused(
            "identity",
            "the request asks for a name that is not yours",
            seen=", ".join(foreign),
            expected=", ".join(granted) or "no name",
            mend="leave the names out of the request, or ask for those that you may have",
        )


def _extension(request: x509.CertificateSigningRequest, kind: type[_Extension]) -> _Extension | None:
    try:
        return request.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise refused("csr", "an extension of the request cannot be read", expected="DNS, IP address or URI") from None


def _unreadable(seen: str, expected: str) -> VerificationError:
    return refused(
        "csr",
        "this is no certificate request",
        seen=seen,
        expected=expected,
        mend="make one: openssl req -new -key KEY -subj / -out FILE",
    )
