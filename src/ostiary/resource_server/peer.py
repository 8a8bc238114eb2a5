"""Who is at the other end of the connection, as the server says that took it: the client, or the proxy in front."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec


class Peer(msgspec.Struct, frozen=True):
    """What no header can say.

    certificate: the peer's own from the TLS layer: DER, or PEM text as the ASGI extension has it; None where it showed
    none, or where the server does not tell. refused: why the TLS layer did not trust that certificate, else empty.
    unix_socket: whether the connection came in by a Unix socket of this machine.
    variables: those of a WSGI server. They are believed only where the configuration names one.
    """

    certificate: bytes | str | None = None
    refused: str = ""
    unix_socket: bool = False
    variables: Mapping[str, object] = {}


PeerOf = Callable[[], Peer]
"""Asked only where a token is bound, so that other requests do not pay for it."""


def nobody() -> Peer:
    """The peer of a request that came by no connection, such as one that a test made up."""
    return Peer()
