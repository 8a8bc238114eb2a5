"""The ways to sign in by a form: a method is one file and one line here. An upstream's answer has its own endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ostiary.user_authentication import passkey, password, recovery_code, totp
from ostiary.user_authentication.attempt import Method

METHODS: tuple[Method, ...] = (
    password.METHOD,
    totp.METHOD,
    recovery_code.METHOD,
    passkey.METHOD,
)
FIRST: tuple[Method, ...] = tuple(method for method in METHODS if method.first)
SECOND: tuple[Method, ...] = tuple(method for method in METHODS if method.second)


def chosen(methods: Sequence[Method], form: Mapping[str, str]) -> Method:
    """The one of ``methods`` whose field the form brings; the first one for a form that brings none."""
    return next((method for method in methods if method.field in form), methods[0])
