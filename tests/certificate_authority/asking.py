"""OCSP requests, as the library makes them and as it does not."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ostiary.model.certificate import Certificate
from tests.authorization_server.world import Answer
from tests.certificate_authority.authority import Ca, loaded

GOOD, REVOKED, UNKNOWN = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN


def request(
    ca: Ca,
    certificate: Certificate | x509.Certificate,
    *,
    issuer: x509.Certificate | None = None,
    algorithm: Any = None,
    extension: x509.ExtensionType | None = None,
    critical: bool = False,
) -> bytes:
    """A request in DER; issuer: by default the authority that issues now."""
    asked = loaded(certificate) if isinstance(certificate, Certificate) else certificate
    issuer = issuer or ca.authorities.issuing().certificate
    builder = ocsp.OCSPRequestBuilder().add_certificate(asked, issuer, algorithm or hashes.SHA256())
    if extension is not None:
        builder = builder.add_extension(extension, critical)
    return builder.build().public_bytes(Encoding.DER)


def post(ca: Ca, document: bytes) -> Answer:
    return ca.world.post("/ca/ocsp", document, content_type="application/ocsp-request")


def ask(ca: Ca, document: bytes) -> ocsp.OCSPResponse:
    """What the responder says, over ASGI."""
    answer = post(ca, document)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/ocsp-response")
    return ocsp.load_der_ocsp_response(answer.body)
