"""Where the certificate of a client stands: in the TLS layer, or in a header of a proxy that proves itself.

RFC 8705 section 3, RFC 9440. Nothing is kept from one request to the next.
"""

from __future__ import annotations

from typing import Literal, Protocol

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import certificate_headers
from ostiary.protocol.certificate_headers import CLIENT_CERT, CLIENT_CERT_CHAIN, X_FORWARDED_CLIENT_CERT
from ostiary.protocol.checks import CERTIFICATE
from ostiary.resource_server.configuration import header_name
from ostiary.resource_server.peer_certificate import certificate_in, own_certificate
from ostiary.resource_server.proxy_proof import ProxyProof
from ostiary.resource_server.request import ApiRequest

Kind = Literal["client-cert", "x-forwarded-client-cert", "escaped-pem"]
_WELL_KNOWN = frozenset(
    name.encode() for name in (CLIENT_CERT, CLIENT_CERT_CHAIN, X_FORWARDED_CLIENT_CERT, "x-ssl-client-cert")
)


class ClientCertificates(Protocol):
    """Finds the certificate of the client that sent a request: DER. Raises VerificationError("certificate")."""

    def of(self, request: ApiRequest) -> bytes: ...


class FromTls:
    """The certificate that the peer showed in the TLS handshake with this API; no header counts.

    ASGI: the TLS extension of the scope. wsgi_variable: the variable in which a WSGI server puts the certificate, such
    as ``"SSL_CLIENT_CERT"`` of Apache's mod_ssl; None: it puts it nowhere.
    """

    def __init__(self, *, wsgi_variable: str | None = None) -> None:
        # What a client sends arrives under HTTP_*, and so must never be taken for the server's own word.
        if wsgi_variable is not None and (not wsgi_variable or wsgi_variable.startswith("HTTP_")):
            raise ConfigurationError(f"{wsgi_variable!r} is no variable of a server: HTTP_* holds what clients send.")
        self._variable = wsgi_variable

    def of(self, request: ApiRequest) -> bytes:
        peer = request.peer()
        found = own_certificate(peer)
        if found is None and self._variable is not None:
            found = certificate_in(peer, self._variable)
        if found is not None:
            return found
        ignored = sorted({name.lower() for name, _ in request.headers} & _WELL_KNOWN)
        if ignored:
            raise _absent(
                f"no certificate on the connection, and {ignored[0].decode()}, which counts for nothing here",
                "call this API itself over mutual TLS, or set client_certificates=FromProxy(...) for its proxy",
            )
        raise _absent("no client certificate", "call over mutual TLS, with the certificate the token is bound to")


class FromProxy:
    """The certificate in a header of the proxy that ends TLS, believed only where the proxy proves itself.

    kind: ``"client-cert"`` (RFC 9440), ``"x-forwarded-client-cert"`` (Envoy), or ``"escaped-pem"`` (nginx's
    ``$ssl_client_escaped_cert``) in ``header``. proxy: how it proves itself, see ``proxy_proof``. From anybody else the
    header is as good as absent. The proxy must take these headers out of what clients send (RFC 9440 section 2.4).
    Raises ConfigurationError.
    """

    def __init__(self, kind: Kind, *, proxy: ProxyProof, header: str | None = None) -> None:
        if kind not in (CLIENT_CERT, X_FORWARDED_CLIENT_CERT, "escaped-pem"):
            raise ConfigurationError(f"{kind!r} is no kind of certificate header that is known here.")
        if (header is not None) != (kind == "escaped-pem"):
            raise ConfigurationError(
                'The kind "escaped-pem" needs a name, such as header="X-SSL-Client-Cert"; the others have their own.'
            )
        self._kind = kind
        names = (CLIENT_CERT, CLIENT_CERT_CHAIN) if kind == CLIENT_CERT else (header or kind,)
        self._headers = tuple(header_name(name) for name in names)
        self._proxy = proxy

    def of(self, request: ApiRequest) -> bytes:
        headers = request.headers
        if not any(certificate_headers.is_sent(headers, name) for name in self._headers):
            raise _absent(
                f"no header {self._headers[0].decode()}",
                "call through the proxy with the certificate that the token is bound to; the proxy must ask for it",
            )
        self._proxy.check(request, request.peer())
        values, *chains = (certificate_headers.values_of(headers, name) for name in self._headers)
        if self._kind == CLIENT_CERT:
            return certificate_headers.client_cert(values, *chains)
        if self._kind == X_FORWARDED_CLIENT_CERT:
            return certificate_headers.x_forwarded_client_cert(values)
        return certificate_headers.escaped_pem(values)


def _absent(seen: str, mend: str) -> VerificationError:
    return VerificationError(CERTIFICATE, "no client certificate", seen=seen, mend=mend)
