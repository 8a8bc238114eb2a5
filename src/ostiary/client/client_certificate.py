"""A client's certificate and private key in files, followed through renewals: RFC 8705 sections 2, 3 and 6.3.

A connection shows the certificate with which it was opened, and a bound token is good with that one alone. So tokens
and connections belong to a *generation* of the files: after a renewal both begin anew, and what is under way ends as it
began.
"""

from __future__ import annotations

import logging
import os
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol.certificate import read_pem
from ostiary.secret_files import read_secret_file

EXTENSION = "ostiary.certificate"
"""Under this name a request says which generation its token belongs to."""
MAX_BYTES = 1_048_576
_log = logging.getLogger("ostiary.client")
_Stamp = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True)
class Generation:
    """The files as they were once. thumbprint: of the certificate, ``x5t#S256``; context: shows it."""

    thumbprint: str
    context: ssl.SSLContext = field(repr=False)


class ClientCertificate:
    """``ClientCertificate("client.pem", "client.key")``, for ClientAuth and for the transport of an httpx2 client.

    certificate: PEM, the client's own first, then what stands between it and its CA. key: PEM, unencrypted, mode 0600.
    ca: PEM of the CA that the servers' certificates come from; without it the system's trust store.

    The files may be replaced at any time (each by a rename, best of all); what cannot be used, such as a certificate
    whose key is not there yet, is left aside with a warning. Raises ConfigurationError at first.
    """

    def __init__(
        self,
        certificate: str | os.PathLike[str],
        key: str | os.PathLike[str],
        *,
        ca: str | os.PathLike[str] | None = None,
    ) -> None:
        self._certificate, self._key = Path(certificate), Path(key)
        self._ca = None if ca is None else Path(ca)
        self._lock = threading.Lock()
        self._stamp = self._look()
        self._generation = self._read()

    def current(self) -> Generation:
        """What the files hold now, as far as it can be used."""
        with self._lock:
            stamp = self._look()  # before the reading: what is written in between is seen the next time
            if stamp != self._stamp:
                try:
                    self._generation = self._read()
                    self._stamp = stamp
                except ConfigurationError as error:
                    _log.warning("the changed certificate is left aside: %s", error)
            return self._generation

    def transport(self) -> httpx2.BaseTransport:
        """For ``httpx2.Client(transport=...)``: connections that show this certificate."""
        from ostiary.client.certificate_transport import CertificateTransport

        return CertificateTransport(self)

    def async_transport(self) -> httpx2.AsyncBaseTransport:
        """For ``httpx2.AsyncClient(transport=...)``: the same."""
        from ostiary.client.certificate_transport import AsyncCertificateTransport

        return AsyncCertificateTransport(self)

    def __repr__(self) -> str:
        return f"ClientCertificate({str(self._certificate)!r})"

    def _look(self) -> _Stamp:
        return tuple(_look(path) for path in (self._certificate, self._key))

    def _read(self) -> Generation:
        read_secret_file(self._key)  # refuses a key that others can read
        try:
            with self._certificate.open("rb") as file:
                thumbprint = read_pem(file.read(MAX_BYTES))[0].thumbprint
            context = self._servers()
            context.load_cert_chain(self._certificate, self._key, password=_no_password)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigurationError(
                f"{self._certificate} and {self._key} cannot be used together: {_reason(error)}."
            ) from None
        except VerificationError as error:
            raise ConfigurationError(f"{self._certificate} cannot be used: {error.seen}.") from None
        return Generation(thumbprint, context)

    def _servers(self) -> ssl.SSLContext:
        if self._ca is None:
            return httpx2.create_ssl_context()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(self._ca)
        return context


def _look(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _no_password() -> str:
    # OpenSSL would ask the terminal.
    raise ConfigurationError("The private key is encrypted: give it unencrypted, in a file of mode 0600.")


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error.strerror or error)
