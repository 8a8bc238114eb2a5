"""What to trust, in PEM: the roots, and the roots with the issuing authorities under them. RFC 8555 section 9.1."""

from __future__ import annotations

from collections.abc import Sequence

from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.certificate_authority import published
from ostiary.authorization_server.http import Request, Response
from ostiary.certificate_authority.issuing import pem
from ostiary.model.certificate_authority import Authority

_MAX_AGE = 300
_ROOTS, _BUNDLE = "/ca/roots.pem", "/ca/bundle.pem"


async def _roots(server: AuthorizationServer, request: Request) -> Response:
    await server.authorities.refresh()
    return _chain(request, server.authorities.roots())


async def _bundle(server: AuthorizationServer, request: Request) -> Response:
    await server.authorities.refresh()
    return _chain(request, [*server.authorities.roots(), *server.authorities.intermediates()])


def _chain(request: Request, authorities: Sequence[Authority]) -> Response:
    if not authorities:
        return published.no_authority()
    body = b"".join(pem(one.certificate) for one in authorities)
    return published.document(request, body, b"application/pem-certificate-chain", _MAX_AGE)


ENDPOINTS = (
    Endpoint("ca_roots", _ROOTS, ("GET", "HEAD"), _roots, places=published.places(_ROOTS)),
    Endpoint("ca_bundle", _BUNDLE, ("GET", "HEAD"), _bundle, places=published.places(_BUNDLE)),
)
