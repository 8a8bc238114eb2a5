"""The certificate that TLS saw on this connection, good enough to prove or to bind: RFC 8705 sections 2 and 3.

Of each use it is asked anew whether the certificate, or its key, was revoked here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.errors import VerificationError
from ostiary.protocol import certificate as certificates
from ostiary.protocol.certificate import Certificate
from ostiary.protocol.checks import CERTIFICATE, Note

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

MEND = "call the endpoint of mtls_endpoint_aliases in the metadata, with the client's certificate"


def presented(certificate: bytes | None) -> Certificate:
    """The certificate in ``certificate`` (DER). Raises VerificationError("certificate"), also if there is none."""
    if certificate is None:
        raise certificates.unusable("no client certificate", "a client certificate", MEND)
    return certificates.read(certificate)


async def check_not_revoked(server: AuthorizationServer, certificate: Certificate) -> None:
    """Refuse what was revoked here: the certificate, wherever it is registered or issued, or its key.

    Raises VerificationError("certificate") and Unavailable.
    """
    key = certificates.key_thumbprint_of(certificate)
    registry = server.registry
    known = await registry.revoked_key(certificate.thumbprint) or await registry.revoked_key(key)
    if known is not None or await server.client_trust.revoked(certificate):
        raise certificates.unusable(
            f"revoked: {certificate.told()}", "a certificate that was not revoked", "get a new key and certificate"
        )


async def possessed(server: AuthorizationServer, certificate: bytes | None, now: float, note: Note) -> Certificate:
    """The certificate whose key the peer holds, to bind a token to: whoever issued it is not asked.

    Raises VerificationError("certificate") and Unavailable.
    """
    found = presented(certificate)
    certificates.public_key_of(found)
    certificates.check_period(found, now)
    await check_not_revoked(server, found)
    note(CERTIFICATE, found.thumbprint, "a strong certificate within its period")
    return found


def told(certificate: bytes | None) -> str:
    """What a trace says of the certificate on the connection, whatever it is worth; "" without one."""
    if certificate is None:
        return ""
    try:
        return certificates.read(certificate).told()
    except VerificationError as error:
        return error.seen
