"""Whose client certificates the TLS door of the second listener lets in: RFC 8705 section 2, RFC 5280 section 6.

A certificate that nobody vouches for cannot be let through to the application: Python's TLS knows a certificate that
verifies, none at all, or an alert. So the self-signed certificates that are registered become anchors themselves, in a
context that is built anew when the registrations change. What follows from that:

- ``VERIFY_X509_PARTIAL_CHAIN`` is needed: without it OpenSSL looks for an anchor by its name, and of two registered
  certificates of the same name one is shut out, so one client could shut out another.
- With it a chain ends at the first certificate that is trusted, so an authority below another would take away what
  the one above it restricts. Such ones are kept out of the trusted, and their clients send them.
- A registered certificate that bears the name of an authority would be taken for it, and is kept out.
- A registered certificate that may issue (CA:TRUE, as ``openssl req -x509`` makes them) vouches at this door for
  others. **"TLS has verified it" therefore never says who it is**: the application compares thumbprints, or validates
  against the authorities alone.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ostiary.errors import ConfigurationError, Unavailable
from ostiary.protocol.certificate import UNREADABLE

_MAX_BYTES: Final = 1_048_576
_log = logging.getLogger(__name__)


RegisteredCertificates = Callable[[], Awaitable[tuple[bytes, ...]]]
"""The self-signed certificates that are registered now, as DER, in an order that stays.

Asked before each handshake, so it must be cheap while nothing changes. May raise Unavailable."""


def read_authorities(files: Sequence[Path]) -> tuple[x509.Certificate, ...]:
    """The certificates in ``files``. Raises ConfigurationError: no PEM, or a certificate that is no authority's."""
    found: list[x509.Certificate] = []
    for file in files:
        try:
            with file.open("rb") as opened:
                found += x509.load_pem_x509_certificates(opened.read(_MAX_BYTES))
        except OSError as error:
            raise ConfigurationError(f"The file {file} cannot be read: {error.strerror}.") from None
        except UNREADABLE:
            raise ConfigurationError(f"{file}: there is no certificate in PEM form: name the right file.") from None
    for certificate in found:
        if not _constraints(certificate).ca:
            raise ConfigurationError(
                f"{certificate.subject.rfc4514_string()} in mtls.client_ca_files is no authority's certificate: "
                "register the certificate of a single client at that client."
            )
    return tuple(found)


def canonical(name: x509.Name) -> tuple[frozenset[tuple[str, str]], ...]:
    """``name`` as OpenSSL finds an issuer by it: without regard to case and to white space. RFC 5280 section 7.1."""
    return tuple(
        frozenset((one.oid.dotted_string, " ".join(_text(one).casefold().split())) for one in rdn) for rdn in name.rdns
    )


def _text(attribute: x509.NameAttribute[str | bytes]) -> str:
    value = attribute.value
    return value if isinstance(value, str) else value.hex()


def kept_out(authorities: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Those below one that restricts more than they do themselves: trusted, they would lift what it restricts."""
    return [one for one in authorities if _is_restricted_from_above(one, authorities, len(authorities))]


class ClientTrust:
    """authorities: of ``mtls.client_ca_files``; nothing else is ever an authority, the system's store least of all."""

    def __init__(self, authorities: Sequence[x509.Certificate], registered: RegisteredCertificates) -> None:
        left_out = kept_out(authorities)
        self._authorities = [one for one in authorities if one not in left_out]
        self._names = {canonical(one.subject) for one in authorities}
        self._registered = registered
        self._known: tuple[bytes, ...] = ()
        self._trusted: tuple[bytes, ...] = ()

    async def has_changed(self) -> bool:
        """Look at what is registered now; whether a new context is due. If it cannot be known, nothing has changed."""
        try:
            self._known = await self._registered()
        except Unavailable as error:
            _log.warning("the registered certificates cannot be read; those of before stay trusted: %s", error)
        if self._known is self._trusted:
            return False
        # Most changes of the registry concern no certificate. Compared with the last context, not with the last look:
        # of handshakes that look at once, one may build from what another has found to be over.
        if self._known != self._trusted:
            return True
        self._trusted = self._known  # the same, so that the next handshakes need not compare them again
        return False

    def ask_for_certificates(self, context: ssl.SSLContext) -> None:
        """Make ``context`` ask each client for a certificate, which it may refuse to give.

        Who is trusted is our list alone, for a chain to any public authority would name whoever it likes: RFC 8705 7.4.
        """
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        for authority in self._authorities:
            context.load_verify_locations(cadata=authority.public_bytes(Encoding.DER))
        trusted = self._known
        for certificate in trusted:
            if self._is_fit(certificate):
                _trust_one(context, certificate)
        self._trusted = trusted

    def _is_fit(self, der: bytes) -> bool:
        try:
            name = canonical(x509.load_der_x509_certificate(der).subject)
        except UNREADABLE:
            _log.warning("a registered certificate cannot be read and is left aside")
            return False
        if name in self._names:
            _log.warning("a registered certificate bears the name of an authority and is left aside")
            return False
        return True


def _is_restricted_from_above(
    certificate: x509.Certificate, authorities: Sequence[x509.Certificate], depth: int
) -> bool:
    if canonical(certificate.issuer) == canonical(certificate.subject) or not depth:
        return False
    own = _constraints(certificate).path_length
    for above in authorities:
        if canonical(above.subject) != canonical(certificate.issuer):
            continue
        length = _constraints(above).path_length
        if length is not None and (own is None or own >= length):
            return True
        if _has_name_constraints(above) or _is_restricted_from_above(above, authorities, depth - 1):
            return True
    return False


def _trust_one(context: ssl.SSLContext, der: bytes) -> None:
    try:
        context.load_verify_locations(cadata=der)
    except ssl.SSLError as error:  # it must not keep everybody else out
        _log.warning("a registered certificate is left aside: %s", error.reason)


def _constraints(certificate: x509.Certificate) -> x509.BasicConstraints:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return x509.BasicConstraints(ca=False, path_length=None)


def _has_name_constraints(certificate: x509.Certificate) -> bool:
    return any(isinstance(one.value, x509.NameConstraints) for one in certificate.extensions)
