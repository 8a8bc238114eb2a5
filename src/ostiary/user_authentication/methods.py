"""The ways to sign in: a method is one file and one line here."""

from __future__ import annotations

from collections.abc import Sequence

from ostiary.errors import OAuthError
from ostiary.user_authentication import password, recovery_code, totp
from ostiary.user_authentication.attempt import Method

METHODS: tuple[Method, ...] = (
    password.METHOD,
    totp.METHOD,
    recovery_code.METHOD,
)
FIRST: tuple[Method, ...] = tuple(method for method in METHODS if method.first)
SECOND: tuple[Method, ...] = tuple(method for method in METHODS if method.second)


def chosen(methods: Sequence[Method], kind: str | None) -> Method:
    """The one of ``methods`` that a form or a link names in its field ``method``, the first one if it names none.

    Raises OAuthError("invalid_request") for a name that is none of theirs.
    """
    for method in methods:
        if kind in (None, method.kind):
            return method
    raise OAuthError(
        "invalid_request",
        "there is no such way to sign in here",
        check="method",
        seen=kind or "",
        expected=", ".join(method.kind for method in methods),
    )
