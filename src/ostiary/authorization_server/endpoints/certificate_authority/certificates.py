"""The certificate of an authority, in DER, as others find it by caIssuers: RFC 5280 section 4.2.2.1."""

from __future__ import annotations

from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.certificate_authority import published
from ostiary.authorization_server.http import Request, Response

_FOLDER = "/ca/certificates/"
_MAX_AGE = 3600


async def _handler(server: AuthorizationServer, request: Request) -> Response:
    await server.authorities.refresh()
    if not server.authorities.exist():
        return published.no_authority()
    found = server.authorities.record(published.name_below(request, _FOLDER, ".cer"))
    if found is None:
        return published.absent("there is no such authority")
    return published.document(request, found.certificate, b"application/pkix-cert", _MAX_AGE)


ENDPOINT = Endpoint("ca_certificate", _FOLDER, ("GET", "HEAD"), _handler, places=published.places(_FOLDER))
