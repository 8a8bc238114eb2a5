"""The revocation list of an authority, in DER: RFC 5280 section 5, RFC 2585 section 4."""

from __future__ import annotations

from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.certificate_authority import published
from ostiary.authorization_server.http import Request, Response

_FOLDER = "/ca/crl/"
_MAX_AGE = 60  # seconds: within these a revocation shows through every cache, however long the list is good


async def _handler(server: AuthorizationServer, request: Request) -> Response:
    async with server.storage.read() as work:
        found = await work.revocation_lists.get(published.name_below(request, _FOLDER, ".crl"))
    if found is None:
        await server.authorities.refresh()
        there = server.authorities.exist()
        return published.absent("there is no such revocation list") if there else published.no_authority()
    left = max(0, found.next_update - int(server.clock()))
    return published.document(request, found.crl, b"application/pkix-crl", min(_MAX_AGE, left))


ENDPOINT = Endpoint("revocation_list", _FOLDER, ("GET", "HEAD"), _handler, places=published.places(_FOLDER))
