"""Where a reader of the revocation feed says up to where it has applied the log: by the secret of its stream alone.

It is one update, without a row of the audit log: thousands of readers say so after each revocation.
"""

from __future__ import annotations

from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.revocations import POSITION, whole_number
from ostiary.authorization_server.exchange import read_form
from ostiary.authorization_server.http import Request, Response
from ostiary.errors import OAuthError, VerificationError
from ostiary.model.feed_reader import LIFE
from ostiary.protocol import token_format

READER = "reader"
_HEADERS = ((b"cache-control", b"no-store"),)


async def handler(server: AuthorizationServer, request: Request) -> Response:
    """204 if it was noted, and if the reader has said a higher position before."""
    form = read_form(request)
    digest = await _digest(server, form.get("reader", ""))
    if "position" not in form:
        raise OAuthError("invalid_request", "position is missing", check=POSITION, expected="the parameter position")
    position = whole_number(form, "position")
    head = (await server.storage.positions()).revocation
    if position > head:
        raise OAuthError(
            "invalid_request",
            "position is beyond the log",
            check=POSITION,
            seen=str(position),
            expected=f"at most {head}",
        )
    now = int(server.clock())
    # Anybody can make up a secret of the right form: it costs a look, and no turn of those who write.
    async with server.storage.read() as work:
        known = await work.feed_readers.is_known(digest)
    if not known:
        raise _unknown("no stream that goes on")
    async with server.storage.write() as work:
        known = await work.feed_readers.applied(digest, position, seen_at=now, expires_at=now + LIFE)
    if not known:
        raise _unknown("no stream that goes on")
    return Response(204, _HEADERS, b"")


async def _digest(server: AuthorizationServer, secret: str) -> bytes:
    try:
        kind, installation = token_format.parse(secret)
    except VerificationError:
        raise _unknown("not a secret of a reader") from None
    if kind != token_format.FEED_READER or installation != await server.registry.installation():
        raise _unknown(f"kind {kind} of installation {installation}")
    return token_format.digest(secret)


def _unknown(seen: str) -> OAuthError:
    return OAuthError(
        "invalid_token",
        "no such reader",
        status=401,
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        check=READER,
        seen=seen,
        expected="the reader of a message whose stream goes on",
        mend="follow the feed anew: each answer brings its own secret",
    )


ENDPOINT = Endpoint(
    "revocations_applied", "/revocations/applied", ("POST",), handler, "ostiary_revocations_applied_endpoint"
)
