"""The Token Status Lists and the list of their addresses, to everybody: draft-ietf-oauth-status-list-20, 8 and 9."""

from __future__ import annotations

from urllib.parse import parse_qsl

from ostiary.authorization_server import accept
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.certificate_authority import published
from ostiary.authorization_server.http import Request, Response, json_response, matches_etag
from ostiary.authorization_server.status_lists import signing
from ostiary.protocol.status_list import MEDIA_TYPE

_FOLDER = signing.PATH + "/"
_HEADERS = (
    # Caches ask whether it is still the last one, which costs no body. So what others may keep is bounded by the
    # list's own ttl alone: RPs "MUST prioritize the exp and ttl claims ... over the HTTP headers" (8.2).
    (b"cache-control", b"public, no-cache"),
    (b"vary", b"accept"),
    (b"x-content-type-options", b"nosniff"),
)


async def _list(server: AuthorizationServer, request: Request) -> Response:
    if any(name == "time" for name, _ in parse_qsl(request.query.decode("latin-1"), keep_blank_values=True)):
        # "If the Server does not support the additional query parameter, it SHOULD return a status code of 501" 8.4;
        # and "Implementers are RECOMMENDED to not support historic requests unless there are strong reasons" 12.7.
        return _told(501, "not_implemented", "what a list said in the past is not kept")
    if not accept.quality(request.headers, MEDIA_TYPE):
        return _told(406, "not_acceptable", f"a status list is {MEDIA_TYPE} here")
    async with server.storage.read() as work:
        found = await work.status_lists.get(published.name_below(request, _FOLDER, ""))
    # The row may wait for its deletion; the list has ended all the same.
    if found is None or found.head.expires_at <= server.clock():
        return published.absent("there is no such status list, or every token in it has ended")
    etag = b'"%s-%d"' % (found.head.list_id.encode("ascii"), found.head.version)
    headers = (*_HEADERS, (b"etag", etag))
    if matches_etag(request.headers.get(b"if-none-match", b""), etag):
        return Response(304, headers, b"")
    return Response(200, ((b"content-type", MEDIA_TYPE.encode("ascii")), *headers), found.token)


async def _aggregation(server: AuthorizationServer, request: Request) -> Response:
    async with server.storage.read() as work:
        heads = await work.status_lists.heads(int(server.clock()))
    uris = [signing.uri(server.issuer, head.list_id) for head in heads]
    headers = ((b"content-type", b"application/json"), *_HEADERS)
    return json_response({"status_lists": uris}, headers=headers)


def _told(status: int, code: str, description: str) -> Response:
    return json_response({"error": code, "error_description": description}, status=status)


ENDPOINTS = (
    Endpoint("status_list", _FOLDER, ("GET", "HEAD"), _list, cross_origin=True),
    Endpoint(
        "status_list_aggregation",
        signing.PATH,
        ("GET", "HEAD"),
        _aggregation,
        "status_list_aggregation_endpoint",
        cross_origin=True,
    ),
)
