"""``client_secret_basic``: the client's id and secret by HTTP Basic, RFC 6749 section 2.3.1 and RFC 7617; legacy."""

from __future__ import annotations

import base64
import binascii
import re

from ostiary.authorization_server import form as forms
from ostiary.authorization_server.client_authentication import client_secrets
from ostiary.authorization_server.client_authentication.base import Attempt, Form, Method, refused
from ostiary.authorization_server.http import Request
from ostiary.errors import OAuthError
from ostiary.protocol.checks import CLIENT, shown

CHALLENGE = 'Basic realm="ostiary", charset="UTF-8"'
MAX_LENGTH = 1024
# RFC 9110 11.2 and 11.6.2: the scheme in any case, one or more spaces, a token68.
_CREDENTIALS = re.compile(rb"basic +([A-Za-z0-9+/]+={0,2})", re.IGNORECASE)


def tried(request: Request) -> bool:
    """Whether the client attempted to authenticate by Basic."""
    return request.headers.get(b"authorization", b"")[:5].lower() == b"basic"


def _presented(request: Request, form: Form) -> bool:
    return tried(request)


def _attempt(request: Request, form: Form) -> Attempt:
    client_id, secret = _decoded(request.headers[b"authorization"])
    named = form.get("client_id", client_id)
    # A client_id beside the credentials could name another client than the one that they prove (attack 20).
    if named != client_id:
        raise refused(
            CLIENT,
            seen=shown(named),
            expected=shown(client_id),
            mend="leave client_id out, or make it that of the Authorization header",
            public="client_id is not the client of the Authorization header",
        )
    return client_secrets.attempt(client_id, secret)


def _decoded(header: bytes) -> tuple[str, str]:
    match = _CREDENTIALS.fullmatch(header) if len(header) <= MAX_LENGTH else None
    if match is None:
        raise _malformed("no base64 of a sane length")
    try:
        text = base64.b64decode(match[1], validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        raise _malformed("no base64 of ASCII") from None
    client_id, colon, secret = text.partition(":")
    if not colon or not client_id or not secret:
        raise _malformed("no colon, or nothing beside it")
    # "The client identifier is encoded using the 'application/x-www-form-urlencoded' encoding algorithm per Appendix B,
    # and the encoded value is used as the username; the client password is encoded using the same algorithm and used
    # as the password." RFC 6749 2.3.1
    try:
        return forms.decoded(client_id), forms.decoded(secret)
    except OAuthError as error:
        raise _malformed(error.seen) from None


def _malformed(seen: str) -> OAuthError:
    return refused(
        "method",
        seen=seen,
        expected="Basic base64(form-encoded client_id : form-encoded secret)",
        mend="encode both by application/x-www-form-urlencoded, join them by a colon, encode that by base64",
        public="the Authorization header is malformed",
    )


METHOD = Method("client_secret_basic", _presented, _attempt)
