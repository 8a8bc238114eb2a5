"""How a proxy that hands on certificates proves itself at each connection or request: RFC 9440 section 4.

"servers (...) MUST only accept the Client-Cert and Client-Cert-Chain header fields from trusted TTRPs": an address is
no proof, so there is no list of networks here.
"""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from typing import Protocol

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import base64url, certificate_headers
from ostiary.protocol.checks import CERTIFICATE
from ostiary.resource_server.configuration import header_name
from ostiary.resource_server.peer import Peer
from ostiary.resource_server.peer_certificate import own_certificate
from ostiary.resource_server.request import ApiRequest

MIN_SECRET_LENGTH = 32
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}")


class ProxyProof(Protocol):
    """One way to prove itself. Raises VerificationError("certificate") unless ``peer`` is the proxy."""

    def check(self, request: ApiRequest, peer: Peer) -> None: ...


class ProxyCertificate:
    """The connection to this API is mutual TLS, and the proxy's own certificate is one of these.

    thumbprints: SHA-256 of the certificate (DER), in hexadecimal as ``openssl x509 -fingerprint -sha256`` prints it or
    in base64url; several while a proxy's certificate is being replaced. Raises ConfigurationError.
    """

    def __init__(self, *thumbprints: str) -> None:
        if not thumbprints:
            raise ConfigurationError("ProxyCertificate names no certificate: give the thumbprint of the proxy's own.")
        self._digests = tuple(_digest(text) for text in thumbprints)

    def check(self, request: ApiRequest, peer: Peer) -> None:
        own = own_certificate(peer)
        if own is None:
            raise _untrusted("a connection without a certificate of the proxy", "mutual TLS from the proxy to this API")
        digest = sha256(own).digest()
        # Each is compared, so that the time says nothing about which one it was.
        if True not in [hmac.compare_digest(digest, known) for known in self._digests]:
            raise _untrusted(f"a peer with the certificate {digest.hex()}", "a certificate that ProxyCertificate names")


class UnixSocket:
    """The connection came in by a Unix socket; the rights of the socket, or of its folder, say who may connect.

    uvicorn lets everybody write to its sockets, so there the folder must not let everybody through. The server must
    say how it was called: ASGI with ``client`` None and the socket's path in ``server``; WSGI with an empty
    ``REMOTE_ADDR``.
    """

    def check(self, request: ApiRequest, peer: Peer) -> None:
        if not peer.unix_socket:
            raise _untrusted("a connection that came by the network", "one by the Unix socket")


class ProxySecret:
    """The proxy sends a secret in a header of its own: the weakest of the three, for proxies that can do no other.

    It travels with each request, so whoever reads one request can be the proxy from then on: only over TLS or on one
    machine. secret: at least 32 characters, such as ``openssl rand -base64 32`` gives. Raises ConfigurationError.
    """

    def __init__(self, header: str, secret: str) -> None:
        self._header = header_name(header)
        if len(secret) < MIN_SECRET_LENGTH:
            raise ConfigurationError(
                f"The proxy's secret has {len(secret)} characters; take at least {MIN_SECRET_LENGTH} random ones."
            )
        self._digest = sha256(secret.encode()).digest()

    def check(self, request: ApiRequest, peer: Peer) -> None:
        values = certificate_headers.values_of(request.headers, self._header)
        if len(values) != 1:
            raise _untrusted(f"{len(values)} headers {self._header.decode()}", "exactly one, from the proxy")
        if not hmac.compare_digest(sha256(values[0]).digest(), self._digest):
            raise _untrusted(f"another value of {self._header.decode()}", "the secret of the proxy")


def _untrusted(seen: str, expected: str) -> VerificationError:
    return VerificationError(
        CERTIFICATE,
        "unusable client certificate",
        seen=f"the certificate header came from an untrusted peer: {seen}",
        expected=expected,
        mend="call through the proxy; if this was the proxy, let it prove itself as client_certificates says",
    )


def _digest(text: str) -> bytes:
    if _HEX.fullmatch(text) is not None:
        return bytes.fromhex(text.replace(":", ""))
    try:
        digest = base64url.decode(text.encode())
    except VerificationError:
        digest = b""
    if len(digest) != 32:
        raise ConfigurationError(
            f"{text[:100]!r} is no SHA-256 of a certificate: openssl x509 -noout -fingerprint -sha256 -in FILE"
        )
    return digest
