"""One request as the verifier sees it, and the one credential in it (RFC 6750 section 2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote_plus

from ostiary.protocol.checks import shown
from ostiary.resource_server.errors import MalformedRequest, MissingCredential
from ostiary.resource_server.peer import PeerOf, nobody

# RFC 6750 2.1: b64token. RFC 9110 11.4: the scheme without regard to case, then one or more spaces.
_TOKEN = re.compile(rb"[A-Za-z0-9\-._~+/]+=*")
_IN_QUERY = re.compile(r"(?:^|[&;?])\s*access_token\s*=", re.IGNORECASE)


class ApiRequest:
    """The parts of a request that decide about it, whatever the framework.

    method: as received. path: as received, percent-encoded, without query. query: as received, without ``?``.
    headers: pairs of bytes, names in lower case; every occurrence of a header is a pair of its own.
    peer: tells who is at the other end of the connection.
    """

    __slots__ = ("headers", "method", "path", "peer", "query")

    def __init__(
        self,
        method: str,
        path: str,
        *,
        headers: Sequence[tuple[bytes, bytes]],
        query: bytes = b"",
        peer: PeerOf = nobody,
    ) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.query = query
        self.peer = peer


def find_credential(request: ApiRequest, direct_header: bytes | None) -> tuple[bytes, bool]:
    """The token in ``request`` and whether it is a client's own JWT.

    direct_header: the lower-case name of the header for such JWTs, None where they are not accepted.
    The token's alphabet is not looked at here; ``check_syntax`` does that for tokens not seen before.
    Raises MissingCredential and MalformedRequest.
    """
    bearer: bytes | None = None
    direct: bytes | None = None
    for name, value in request.headers:
        if name == b"authorization":
            if bearer is not None:
                raise MalformedRequest("more than one Authorization header", expected="exactly one")
            bearer = value
        elif name == direct_header:
            if direct is not None:
                raise MalformedRequest("more than one client JWT", expected="exactly one")
            direct = value
    if request.query:
        _refuse_token_in_query(request.query)
    if direct is not None:
        if bearer is not None:
            raise MalformedRequest("two credentials in one request", expected="an access token or a client JWT")
        return direct.strip(b" \t"), True
    if bearer is None:
        raise MissingCredential("absent")
    return _bearer(bearer), False


def check_syntax(token: bytes) -> None:
    """Refuse what is not a b64token (RFC 6750 section 2.1) with MalformedRequest."""
    if _TOKEN.fullmatch(token) is None:
        raise MalformedRequest(
            "malformed Authorization header", seen="not a b64token", expected="Bearer, a space, a token"
        )


def _bearer(value: bytes) -> bytes:
    if value[:7].lower() != b"bearer ":
        scheme = value.split(b" ", 1)[0].decode("latin-1")
        if scheme.lower() == "bearer":
            raise MalformedRequest(
                "malformed Authorization header", seen="no token", expected="Bearer, a space, a token"
            )
        raise MissingCredential(f"the scheme {shown(scheme[:32])}")
    return value[7:].strip(b" \t")


def _refuse_token_in_query(query: bytes) -> None:
    # RFC 9700 4.3.2: "Clients MUST NOT pass access tokens in a URI query parameter": they end up in logs.
    if _IN_QUERY.search(unquote_plus(query.decode("latin-1"))) is not None:
        raise MalformedRequest(
            "tokens in the query string are refused",
            seen="the query parameter access_token",
            expected="the header Authorization: Bearer",
            mend="send the token in the Authorization header, and end this one: it now stands in logs",
        )
