"""The public signing keys of the installation, with caching headers: RFC 7517 section 5, RFC 9111."""

from __future__ import annotations

from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.http import Request, Response, matches_etag


async def _handler(server: AuthorizationServer, request: Request) -> Response:
    await server.registry.current()
    document, etag = server.signing_keys.jwks(), server.signing_keys.etag
    headers = (
        # A key is published longer before its first use than anybody may keep this answer (settings, publish_before).
        (b"cache-control", f"public, max-age={server.settings.keys.jwks_max_age}".encode()),
        (b"etag", etag.encode()),
        (b"x-content-type-options", b"nosniff"),
    )
    if matches_etag(request.headers.get(b"if-none-match", b""), etag.encode()):
        return Response(304, headers, b"")
    return Response(200, ((b"content-type", b"application/jwk-set+json"), *headers), document)


ENDPOINT = Endpoint("jwks", "/jwks", ("GET", "HEAD"), _handler, "jwks_uri", cross_origin=True)
