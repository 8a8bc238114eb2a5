"""Requests and responses without a framework; reading and sending them by raw ASGI 3.0, with caps."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from ostiary.errors import OAuthError, OstiaryError, Unavailable
from ostiary.trace import new_trace_id, redact

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

WholeResponse = Callable[[int, Sequence[tuple[bytes, bytes]], bytes], Awaitable[None]]
"""Sends status, headers (lower-case names, Content-Length among them) and body at once."""

WHOLE_RESPONSE = "ostiary.whole_response"
"""The ASGI extension under which a server offers a WholeResponse: one write where two messages cost two."""

Listener = Literal["main", "mtls"]

log = logging.getLogger("ostiary.authorization_server")
_encode = msgspec.json.Encoder().encode
_SINGLE_HEADERS = frozenset((b"content-type", b"content-length", b"authorization", b"host"))
NOT_STORED = (
    # "The authorization server MUST include the HTTP 'Cache-Control' response header field with a value of 'no-store'
    # in any response containing tokens, credentials, or other sensitive information." RFC 6749 5.1
    (b"cache-control", b"no-store"),
    (b"pragma", b"no-cache"),
    (b"x-content-type-options", b"nosniff"),
)
_JSON = ((b"content-type", b"application/json"), *NOT_STORED)


@dataclass(slots=True)
class Request:
    """One request, its body read and its size within the cap.

    headers: lower-case names to values, as bytes; of a repeated one the last (those that must be single are refused).
    client_address: text of the peer's IP address, or ``""``. peer_certificate: DER, None without mutual TLS.
    query: the octets after the question mark, ``b""`` if there are none.
    listener: where it came in, ``"mtls"`` being the address for clients with certificates; no other asks for one.
    """

    method: str
    path: str
    headers: Mapping[bytes, bytes]
    body: bytes = b""
    client_address: str = ""
    peer_certificate: bytes | None = None
    query: bytes = b""
    listener: Listener = "main"


@dataclass(slots=True)
class Response:
    """A status, headers (lower-case names) and a body."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class ClientGone(Exception):
    """The caller hung up before the body was complete: there is nobody to answer."""


def json_response(members: object, *, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = _JSON) -> Response:
    """``members`` as JSON; without ``headers`` of its own it must not be stored."""
    return Response(status, headers, _encode(members))


def error_response(error: OstiaryError | Exception, trace_id: str) -> Response:
    """What a caller is told of ``error``: RFC 6749 section 5.2 with the member ``trace``."""
    if isinstance(error, OAuthError):
        extra = tuple((name.lower().encode(), value.encode("latin-1")) for name, value in error.headers.items())
        return _told(error.status, error.code, error.description, trace_id, extra)
    if isinstance(error, Unavailable):
        extra = ((b"retry-after", str(error.retry_after).encode()),)
        return _told(503, "temporarily_unavailable", error.public, trace_id, extra)
    return _told(500, "server_error", "internal error", trace_id, ())


def _told(status: int, code: str, description: str, trace_id: str, extra: tuple[tuple[bytes, bytes], ...]) -> Response:
    members = {"error": code, "error_description": description, "trace": trace_id}
    return json_response(members, status=status, headers=_JSON + extra)


def report(error: Exception, trace_id: str, where: str) -> None:
    """Log what no table holds, under the trace id that its caller was given."""
    if isinstance(error, OAuthError):
        log.warning(
            "%s refused a request: %s: %s", where, error.check, redact(error.description), extra={"trace": trace_id}
        )
    elif isinstance(error, OstiaryError):
        log.error("%s failed: %s", where, redact(str(error)), extra={"trace": trace_id})
    else:
        log.error("%s failed", where, exc_info=error, extra={"trace": trace_id})


def fault(error: Exception, where: str) -> Response:
    """The answer to an error that nobody recorded: a fault of ours. The log holds it, by trace id."""
    trace_id = new_trace_id()
    report(error, trace_id, where)
    return error_response(error, trace_id)


async def read_request(scope: Scope, receive: Receive, max_body: int, listener: Listener = "main") -> Request:
    """The request of ``scope`` with its body. Raises OAuthError (413, 400) and ClientGone."""
    headers = _headers(scope["headers"])
    body = b"" if scope["method"] in ("GET", "HEAD") else await _body(headers, receive, max_body)
    client = scope.get("client")
    tls = (scope.get("extensions") or {}).get("tls") or {}
    return Request(
        scope["method"],
        scope["path"],
        headers,
        body,
        client[0] if client else "",
        tls.get("client_certificate"),
        scope.get("query_string", b""),
        listener,
    )


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    headers = dict(raw)
    if len(headers) != len(raw):
        names = [name for name, _ in raw]
        for name in _SINGLE_HEADERS & headers.keys():
            if names.count(name) > 1:
                raise OAuthError(
                    "invalid_request", "a header is repeated", check="form", seen=name.decode(), expected="once"
                )
    return headers


async def _body(headers: Mapping[bytes, bytes], receive: Receive, max_body: int) -> bytes:
    declared = headers.get(b"content-length")
    if declared is not None and (not declared.isdigit() or len(declared) > 12 or int(declared) > max_body):
        raise _too_large(max_body)
    message = await receive()
    body: bytes = message.get("body", b"")
    while message["type"] == "http.request" and message.get("more_body", False):
        if len(body) > max_body:
            raise _too_large(max_body)
        message = await receive()
        body += message.get("body", b"")
    if message["type"] != "http.request":
        raise ClientGone
    if len(body) > max_body:
        raise _too_large(max_body)
    return body


def _too_large(max_body: int) -> OAuthError:
    return OAuthError(
        "invalid_request", "the request is too large", status=413, check="size", expected=f"at most {max_body} octets"
    )


async def send_response(scope: Scope, send: Send, response: Response, *, head: bool = False) -> None:
    """Answer with ``response``; head: without its body, as the method HEAD wants."""
    headers = list(response.headers)
    # "A server MUST NOT send Content-Length in such a response unless its field value equals the decimal number of
    # octets that would have been sent in the content of a 200 (OK) response to the same request." RFC 9110 8.6, of
    # 304
    if response.status != 304:
        headers.append((b"content-length", str(len(response.body)).encode()))
    body = b"" if head else response.body
    whole: WholeResponse | None = (scope.get("extensions") or {}).get(WHOLE_RESPONSE)
    if whole is not None:
        await whole(response.status, headers, body)
        return
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def matches_etag(sent: bytes, etag: bytes) -> bool:
    """Whether the value of If-None-Match, ``sent``, names ``etag`` (in its quotes): then the answer is 304."""
    # "A recipient MUST use the weak comparison function when comparing entity tags for If-None-Match" RFC 9110 13.1.2
    return any(tag.strip().removeprefix(b"W/") in (etag, b"*") for tag in sent.split(b","))
