"""Whether a client's certificate was issued, for clients, by an authority that may: RFC 5280 section 6, RFC 8705 7.4.

The verifier of ``cryptography`` checks the path: signatures, periods, basic constraints, path lengths, name
constraints, key usage and key strength of the authorities, critical extensions. It does not ask an end entity for a
strong key or for its purpose to be named, and asks it for a SAN, which one that is known by its subject need not have.
"""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder

from ostiary.authorization_server.client_trust import Authorities
from ostiary.protocol import certificate as certificates
from ostiary.protocol.certificate import Certificate
from ostiary.protocol.checks import shown

MAX_DEPTH = 5
_END_ENTITY = ExtensionPolicy.webpki_defaults_ee().may_be_present(
    x509.SubjectAlternativeName, Criticality.AGNOSTIC, None
)
_AUTHORITY = ExtensionPolicy.webpki_defaults_ca()


def check_issued(certificate: Certificate, authorities: Authorities, now: float) -> None:
    """Refuse a certificate that no authority issued to a client, at ``now`` (seconds since the epoch).

    Raises VerificationError("certificate").
    """
    check_for_clients(certificate, now)
    if not authorities.roots:
        raise certificates.unusable(
            certificate.told(), "a CA that is trusted for clients", "name one in [mtls] client_ca_files"
        )
    verifier = (
        PolicyBuilder()
        .store(authorities.store)
        .time(datetime.fromtimestamp(now, UTC).replace(tzinfo=None))
        .max_chain_depth(MAX_DEPTH)
        .extension_policies(ca_policy=_AUTHORITY, ee_policy=_END_ENTITY)
        .build_client_verifier()
    )
    try:
        verifier.verify(certificate.parsed, list(authorities.intermediates))
    except verification.VerificationError as error:
        raise certificates.unusable(
            f"{_reason(error)}; {certificate.told()}",
            "a path from the certificate to a CA of [mtls] client_ca_files that keeps to RFC 5280",
            "get the certificate from a CA that is trusted here; name intermediate ones there too",
        ) from None


def check_for_clients(certificate: Certificate, now: float) -> None:
    """Refuse a certificate that no client may show at ``now``, whoever issued it.

    Raises VerificationError("certificate").
    """
    certificates.public_key_of(certificate)
    certificates.check_period(certificate, now)
    _check_purpose(certificate)


def _check_purpose(certificate: Certificate) -> None:
    try:
        purposes = list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        purposes = []
    # RFC 5280 4.2.1.12; a CA that also names servers must not name clients by the way, so the purpose must be said.
    if ExtendedKeyUsageOID.CLIENT_AUTH not in purposes:
        seen = ", ".join(one.dotted_string for one in purposes) or "no extended key usage"
        raise certificates.unusable(
            shown(f"{seen}; {certificate.told()}"),
            f"the extended key usage clientAuth ({ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string})",
            "let the CA issue it for clients",
        )
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    # "If the keyUsage extension is present, ... digitalSignature" for what signs a handshake: RFC 8446 4.4.2.2
    if not usage.digital_signature:
        raise certificates.unusable(
            f"a key usage without digitalSignature; {certificate.told()}", "the key usage digitalSignature"
        )


def _reason(error: verification.VerificationError) -> str:
    text = str(error).removeprefix("validation failed: ")
    return shown(text.partition(" (encountered processing")[0])
