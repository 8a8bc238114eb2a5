"""Whom the operator trusts to name clients by certificate, and which certificates are revoked: RFC 8705 section 7.4.

PORT: ``ClientTrust``. What TLS let in proves possession of a key and nothing else; trust is decided here, each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.verification import Store

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import certificate as certificates
from ostiary.protocol.certificate import Certificate

MAX_FILE = 1_048_576


@dataclass(frozen=True)
class Authorities:
    """roots: the anchors, which are believed; intermediates: what may stand between them and a client, not believed."""

    roots: tuple[x509.Certificate, ...] = ()
    intermediates: tuple[x509.Certificate, ...] = ()

    @cached_property
    def store(self) -> Store:
        """The anchors as the verifier takes them, made once."""
        return Store(list(self.roots))


class ClientTrust(Protocol):
    """Consulted at each use of a certificate; whatever it raises beside VerificationError refuses as a fault."""

    async def authorities(self) -> Authorities:
        """Who may name clients now. Raises Unavailable."""
        ...

    async def issued_here(self, certificate: Certificate, now: float) -> bool:
        """Whether our own CA signed it, so that no other authority is asked. Raises Unavailable."""
        ...

    async def revoked(self, certificate: Certificate) -> bool:
        """Whether it is one of ours that was revoked. Raises Unavailable."""
        ...


class ConfiguredTrust:
    """The authorities of ``[mtls] client_ca_files``, which revoke elsewhere.

    Never the system's: "the authorization server SHOULD only accept, as trust anchors, a limited number of CAs whose
    certificate issuance policy meets its security requirements" (RFC 8705 section 7.4).
    """

    def __init__(self, authorities: Authorities | None = None) -> None:
        self._authorities = authorities or Authorities()

    async def authorities(self) -> Authorities:
        """What was configured."""
        return self._authorities

    async def issued_here(self, certificate: Certificate, now: float) -> bool:
        """None of those is ours."""
        return False

    async def revoked(self, certificate: Certificate) -> bool:
        """None of those is ours."""
        return False


def read_authorities(files: tuple[Path, ...]) -> Authorities:
    """The authorities in these PEM files; one that another one of them issued is believed by that one's word alone.

    But a root is a root, also beside its older or its younger self, or beside another that has signed its key.

    Raises ConfigurationError: a file cannot be read, or holds what is no CA or one that cannot be used.
    """
    found = [one for path in files for one in _read(path)]
    below = [one for one in found if any(_issued(above, one) for above in found) and not _issued(one, one)]
    return Authorities(tuple(one for one in found if one not in below), tuple(below))


def _issued(above: x509.Certificate, one: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _read(path: Path) -> list[x509.Certificate]:
    try:
        with path.open("rb") as file:
            found = certificates.read_pem(file.read(MAX_FILE))
        for one in found:
            _check_can_issue(one)
    except OSError as error:
        raise ConfigurationError(f"The CA file {path} cannot be read: {error.strerror}.") from None
    except VerificationError as error:
        raise ConfigurationError(f"The CA file {path} is refused: {error.seen}; expected: {error.expected}.") from None
    return [one.parsed for one in found]


def _check_can_issue(certificate: Certificate) -> None:
    try:
        is_ca = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        is_ca = False
    if not is_ca:
        raise certificates.unusable(
            f"no CA: {certificate.told()}",
            "the certificate of a CA; a client's self-signed one is registered at the client",
        )
    # What verifies chains takes nothing below such a constraint if it is critical, and looks past it if it is not.
    if _constrains_directory_names(certificate):
        raise certificates.unusable(
            f"name constraints on directory names: {certificate.told()}", "a CA with constraints on DNS names or none"
        )
    # What verifies chains knows ECDSA and RSA alone; better said now than by a refusal of every client.
    if not isinstance(certificates.public_key_of(certificate), ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise certificates.unusable(
            f"a CA with an Ed25519 key: {certificate.told()}", "a CA with an ECDSA or RSA key; its clients may have any"
        )


def _constrains_directory_names(certificate: Certificate) -> bool:
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return False
    trees = (*(found.permitted_subtrees or ()), *(found.excluded_subtrees or ()))
    return any(isinstance(one, x509.DirectoryName) for one in trees)
