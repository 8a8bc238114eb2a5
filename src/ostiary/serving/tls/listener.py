"""What the next handshake of a listener uses; connections that stand keep what they began with."""

from __future__ import annotations

import ssl

from ostiary.serving.tls.certificate import ServerCertificate
from ostiary.serving.tls.client_trust import ClientTrust
from ostiary.serving.tls.contexts import server_context


class ListenerTls:
    """``take`` is how anybody (a watcher of files, an authority of our own) says that there is a new certificate.

    name: of the listener, in metrics and logs. trust: whose certificates clients may show; None: none is asked for.
    """

    def __init__(self, name: str, certificate: ServerCertificate, trust: ClientTrust | None = None) -> None:
        self.name = name
        self._trust = trust
        self._certificate = certificate
        self._context = self._built(certificate)

    @property
    def certificate(self) -> ServerCertificate:
        """The one that new connections are shown."""
        return self._certificate

    def take(self, certificate: ServerCertificate) -> None:
        """Show ``certificate`` from the next handshake on. Raises ssl.SSLError, and then nothing has changed."""
        self._context = self._built(certificate)
        self._certificate = certificate

    async def context(self) -> ssl.SSLContext:
        """The context for one new connection.

        A session is resumed in the context that it began in alone, and there are no tickets: so whoever is not trusted
        any more cannot come back by a session of before.
        """
        if self._trust is not None and await self._trust.has_changed():
            self._context = self._built(self._certificate)
        return self._context

    def _built(self, certificate: ServerCertificate) -> ssl.SSLContext:
        context = server_context(certificate)
        if self._trust is not None:
            self._trust.ask_for_certificates(context)
        return context
