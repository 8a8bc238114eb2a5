"""Serves what the pages need besides themselves, from this very site alone: RFC 9700 section 2.6, RFC 9111."""

from __future__ import annotations

from urllib.parse import parse_qs

from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint, issuer_path
from ostiary.authorization_server.http import Request, Response, json_response, matches_etag
from ostiary.user_authentication.pages import assets

_PATH = "/assets/"
_YEAR = 365 * 86_400
# A picture of the operator's, opened by itself, can run nothing and reach nothing.
_POLICY = b"default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"


async def _handler(server: AuthorizationServer, request: Request) -> Response:
    asset = assets.of(server.settings.pages).get(request.path.rpartition("/")[2])
    if asset is None:
        return json_response({"error": "not_found"}, status=404)
    etag = b'"%s"' % asset.version.encode()
    headers = (
        (b"etag", etag),
        (b"cache-control", _caching(request, asset.version)),
        (b"x-content-type-options", b"nosniff"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"content-security-policy", _POLICY),
    )
    if matches_etag(request.headers.get(b"if-none-match", b""), etag):
        return Response(304, headers, b"")
    return Response(200, ((b"content-type", asset.content_type.encode()), *headers), asset.content)


def _caching(request: Request, version: str) -> bytes:
    # Only under the name that holds its version is a file the same for good; RFC 8246 section 2.
    named = parse_qs(request.query.decode("latin-1")).get("v") == [version]
    return f"public, max-age={_YEAR}, immutable".encode() if named else b"public, no-cache"


def _places(issuer: str) -> tuple[str, ...]:
    return tuple(f"{issuer_path(issuer)}{_PATH}{name}" for name in assets.names())


ENDPOINT = Endpoint("assets", _PATH, ("GET", "HEAD"), _handler, places=_places)
