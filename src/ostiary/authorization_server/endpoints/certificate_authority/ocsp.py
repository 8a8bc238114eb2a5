"""The OCSP responder over HTTP, by POST and by GET: RFC 6960 appendix A, with the headers of RFC 5019 section 6."""

from __future__ import annotations

import base64
import binascii
import hashlib
from email.utils import formatdate

from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.certificate_authority import published
from ostiary.authorization_server.http import Request, Response
from ostiary.certificate_authority import ocsp

_PATH, _FOLDER = "/ca/ocsp", "/ca/ocsp/"
_MAX_BYTES = 16_384
_URL_ALPHABET = str.maketrans("-_", "+/")


async def _post(server: AuthorizationServer, request: Request) -> Response:
    return await _answered(server, request.body, cached=False)


async def _get(server: AuthorizationServer, request: Request) -> Response:
    # "{url}/{url-encoding of base-64 encoding of the DER encoding of the OCSPRequest}" RFC 6960 A.1
    text = request.path.partition(_FOLDER)[2].translate(_URL_ALPHABET).rstrip("=")
    try:
        document = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error):
        document = b""
    return await _answered(server, document, cached=True)


async def _answered(server: AuthorizationServer, document: bytes, *, cached: bool) -> Response:
    await server.authorities.refresh()
    if not server.authorities.exist():
        return published.no_authority()
    answer = await ocsp.answer(server.authorities, document if len(document) <= _MAX_BYTES else b"")
    caching = _kept(answer) if cached and not answer.for_one else ((b"cache-control", b"no-store"),)
    plain = ((b"content-type", b"application/ocsp-response"), (b"x-content-type-options", b"nosniff"))
    return Response(200, (*plain, *caching), answer.der)


def _kept(answer: ocsp.Answer) -> tuple[tuple[bytes, bytes], ...]:
    # "max-age=< n >, where n is a time value later than thisUpdate but earlier than nextUpdate" RFC 5019 6.2
    max_age = (answer.next_update - answer.this_update) // 2
    return (
        (b"last-modified", formatdate(answer.this_update, usegmt=True).encode()),
        (b"expires", formatdate(answer.next_update, usegmt=True).encode()),
        (b"etag", b'"%s"' % hashlib.sha256(answer.der).hexdigest()[:32].encode()),
        (b"cache-control", b"max-age=%d, public, no-transform, must-revalidate" % max_age),
    )


ENDPOINTS = (
    Endpoint("ocsp", _PATH, ("POST",), _post, places=published.places(_PATH)),
    Endpoint("ocsp_by_url", _FOLDER, ("GET", "HEAD"), _get, places=published.places(_FOLDER)),
)
