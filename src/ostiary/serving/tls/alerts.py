"""Whoever fails the handshake is told why, by the alert that OpenSSL has written: RFC 8446 section 6.2.

The event loops cut the connection at a failed handshake and let that alert lie; so it is sent here, past them.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from contextvars import ContextVar

PEER: ContextVar[socket.socket] = ContextVar("PEER")
"""The accepted socket whose handshake begins in this context."""


class AlertingObject(ssl.SSLObject):
    """One side of a connection that sends what it still has to say when its handshake fails."""

    _outgoing: ssl.MemoryBIO | None = None
    _peer: socket.socket | None = None

    def speak_by(self, outgoing: ssl.MemoryBIO, peer: socket.socket | None) -> None:
        """outgoing: where OpenSSL writes. peer: the socket on the other side of the event loop."""
        self._outgoing, self._peer = outgoing, peer

    def do_handshake(self) -> None:
        """Raises ssl.SSLError, after the alert was sent."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLSyscallError):
            raise
        except ssl.SSLError:
            self._send_alert()
            raise

    def _send_alert(self) -> None:
        # "Upon receiving/transmission of a fatal alert message, both parties MUST immediately close the connection."
        # RFC 8446 6.2; a peer that does not take these few bytes has gone.
        if self._outgoing is not None and self._peer is not None:
            with contextlib.suppress(OSError):
                self._peer.send(self._outgoing.read())


class AlertingContext(ssl.SSLContext):
    """A context whose handshakes send their alerts."""

    sslobject_class = AlertingObject

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """As of the class above; the peer is that of the present context."""
        made = super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        if isinstance(made, AlertingObject):
            made.speak_by(outgoing, PEER.get(None))
        return made
