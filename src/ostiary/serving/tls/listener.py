"""What the next handshake of a listener uses; connections that stand keep what they began with."""

from __future__ import annotations

import ssl

from ostiary.serving.tls.certificate import ServerCertificate
from ostiary.serving.tls.contexts import server_context


class ListenerTls:
    """``take`` is how anybody (a watcher of files, an authority of our own) says that there is a new certificate.

    name: of the listener, in metrics and logs.
    """

    def __init__(self, name: str, certificate: ServerCertificate) -> None:
        self.name = name
        self._certificate = certificate
        self._context = server_context(certificate)

    @property
    def certificate(self) -> ServerCertificate:
        """The one that new connections are shown."""
        return self._certificate

    def take(self, certificate: ServerCertificate) -> None:
        """Show ``certificate`` from the next handshake on. Raises ssl.SSLError, and then nothing has changed."""
        self._context = server_context(certificate)
        self._certificate = certificate

    def context(self) -> ssl.SSLContext:
        """The context for one new connection."""
        return self._context
