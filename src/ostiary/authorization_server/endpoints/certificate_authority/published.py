"""How the CA's documents are answered: with a tag and a time for caches (RFC 9111), and clearly where there is none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from ostiary.authorization_server.endpoints.base import issuer_path
from ostiary.authorization_server.http import Request, Response, json_response, matches_etag


def document(request: Request, body: bytes, content_type: bytes, max_age: int) -> Response:
    """``body``, or 304 for whoever has it; caches may keep it for ``max_age`` seconds."""
    etag = b'"%s"' % hashlib.sha256(body).hexdigest()[:32].encode()
    headers = (
        (b"cache-control", b"public, max-age=%d" % max_age),
        (b"etag", etag),
        (b"x-content-type-options", b"nosniff"),
    )
    if matches_etag(request.headers.get(b"if-none-match", b""), etag):
        return Response(304, headers, b"")
    return Response(200, ((b"content-type", content_type), *headers), body)


def absent(what: str) -> Response:
    """404, and what it is that is not here."""
    return json_response({"error": "not_found", "error_description": what}, status=404)


def no_authority() -> Response:
    """404 where the installation has no CA."""
    return absent("there is no certificate authority here")


def name_below(request: Request, folder: str, suffix: str) -> str:
    """The name in a path ``.../<folder><name><suffix>``; "" if it has another form."""
    name = request.path.rpartition(folder)[2]
    return name.removesuffix(suffix) if name.endswith(suffix) else ""


def places(path: str) -> Callable[[str], tuple[str, ...]]:
    """Below the issuer's path and, for ``certificate_authority.public_url``, at the root of the host."""
    return lambda issuer: tuple(dict.fromkeys((issuer_path(issuer) + path, path)))
