"""The ways to sign in: a method is one file and one line here."""

from __future__ import annotations

from collections.abc import Mapping

from ostiary.user_authentication import password, recovery_code, totp
from ostiary.user_authentication.attempt import Method

METHODS: tuple[Method, ...] = (
    password.METHOD,
    totp.METHOD,
    recovery_code.METHOD,
)


def method_of(form: Mapping[str, str], *, second: bool) -> Method:
    """The method that a form is for, by the field that it brings; the first that there is, if it brings none."""
    fitting = [method for method in METHODS if (method.second if second else method.first)]
    return next((method for method in fitting if method.field in form), fitting[0])
