"""The certificate that a peer showed in the TLS handshake: DER from our own server, PEM from others."""

from __future__ import annotations

from ostiary.protocol import certificate_text
from ostiary.protocol.certificate_text import unusable
from ostiary.protocol.checks import shown
from ostiary.resource_server.peer import Peer


def own_certificate(peer: Peer) -> bytes | None:
    """The peer's own certificate, DER; None where there is none. Raises VerificationError("certificate").

    A certificate that the TLS layer did not trust counts for nothing, although its key was proved.
    """
    if peer.refused:
        raise unusable(
            f"a certificate that the TLS layer refused: {shown(peer.refused)}",
            expected="one that it trusts",
            mend="trust the authority of the client's certificate in the server of this API",
        )
    certificate = peer.certificate
    return certificate_text.from_pem(certificate.encode()) if isinstance(certificate, str) else certificate


def certificate_in(peer: Peer, variable: str) -> bytes | None:
    """The certificate that a WSGI server has put into ``variable`` (PEM). Raises VerificationError("certificate").

    Where the server says beside it whether it trusts the certificate (``SSL_CLIENT_VERIFY`` of Apache's mod_ssl), it
    must.
    """
    value = peer.variables.get(variable)
    if not value:
        return None
    verified = peer.variables.get("SSL_CLIENT_VERIFY", "SUCCESS")
    if verified != "SUCCESS":
        raise unusable(f"SSL_CLIENT_VERIFY {shown(verified)}", expected="SUCCESS")
    return certificate_text.from_pem(value.encode("latin-1", "replace") if isinstance(value, str) else b"")
