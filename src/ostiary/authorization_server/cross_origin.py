"""CORS (Fetch Standard 3.2) for the endpoints that a single-page application calls: never with cookies.

Every origin is allowed, because nothing at these endpoints rests on what a browser sends by itself: no cookie is read
there, and an answer is given for a credential in the request alone. The authorization endpoint and the pages allow none
(RFC 9700 section 2.6).
"""

from __future__ import annotations

from collections.abc import Iterable

from ostiary.authorization_server.http import Response

Header = tuple[bytes, bytes]
_ANY: tuple[Header, ...] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"www-authenticate, retry-after"),
)
_MAX_AGE = b"7200"


def allow(response: Response) -> None:
    """Let scripts of any origin read ``response``."""
    response.headers += _ANY


def is_preflight(request_headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request with the method OPTIONS is a browser's question before the real one."""
    return any(name == b"access-control-request-method" for name, _ in request_headers)


def preflight(methods: Iterable[str]) -> Response:
    """The answer to the question: these methods, and the headers that our endpoints read."""
    headers = (
        *_ANY,
        (b"access-control-allow-methods", ", ".join(methods).encode("ascii")),
        (b"access-control-allow-headers", b"authorization, content-type"),
        (b"access-control-max-age", _MAX_AGE),
    )
    return Response(204, headers, b"")
