"""Client certificates for an API's own tests: made on the spot, presented without a handshake."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ostiary.protocol import certificate_binding

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate of a client. der: its octets; its key is gone, for no test needs it."""

    der: bytes

    @property
    def thumbprint(self) -> str:
        """What a token names that is bound to it: ``cnf["x5t#S256"]``."""
        return certificate_binding.thumbprint(self.der)

    @property
    def pem(self) -> str:
        """For a WSGI server's variable: Flask's ``environ_overrides={"SSL_CLIENT_CERT": certificate.pem}``."""
        certificate = x509.load_der_x509_certificate(self.der)
        return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")

    @property
    def client_cert(self) -> str:
        """The value of the header ``Client-Cert`` (RFC 9440)."""
        return f":{base64.b64encode(self.der).decode('ascii')}:"

    @property
    def escaped_pem(self) -> str:
        """The value that nginx's ``$ssl_client_escaped_cert`` would have."""
        return quote(self.pem, safe="")


def self_signed(name: str) -> ClientCertificate:
    """A new certificate of ``name`` (its common name), valid for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return ClientCertificate(certificate.public_bytes(serialization.Encoding.DER))


def over_tls(app: App, certificate: ClientCertificate | None) -> App:
    """``app`` (ASGI) as if each request came over TLS, with ``certificate`` or with none."""

    async def called(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            tls = {"client_certificate": certificate.der if certificate is not None else None}
            scope = {**scope, "extensions": {**(scope.get("extensions") or {}), "tls": tls}}
        await app(scope, receive, send)

    return called


def over_unix_socket(app: App) -> App:
    """``app`` (ASGI) as if each request came by a Unix socket."""

    async def called(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            scope = {**scope, "client": None, "server": ("test.sock", None)}
        await app(scope, receive, send)

    return called
