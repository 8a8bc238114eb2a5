"""The rules of our TLS: 1.2 and 1.3, forward secrecy and AEAD alone. RFC 9325, RFC 8446, ASVS 12.1."""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator

from ostiary.serving.tls.alerts import AlertingContext
from ostiary.serving.tls.certificate import ServerCertificate

# RFC 9325 4.2 for TLS 1.2; those of TLS 1.3 are all good and OpenSSL's own.
CIPHERS = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
)


def server_context(certificate: ServerCertificate) -> ssl.SSLContext:
    """A context that shows ``certificate`` and asks for none of the client.

    The groups are OpenSSL's own, which from 3.5 on offer X25519MLKEM768 first.
    """
    context = AlertingContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    # A ticket is sealed with a key that lives as long as this context: whoever gets it opens what was recorded
    # meanwhile (RFC 9325 4.3). Connections are kept, so we can do without.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    with _as_file(certificate.pem()) as path:
        context.load_cert_chain(path)
    return context


@contextlib.contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A path of ``content``: OpenSSL's loader takes nothing else, and what was checked is what is to be loaded."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("tls")
        try:
            os.write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        with tempfile.NamedTemporaryFile() as file:  # mode 0600
            file.write(content)
            file.flush()
            yield file.name
