"""The ways to sign in: a method is one file and one line here."""

from __future__ import annotations

from ostiary.user_authentication import password
from ostiary.user_authentication.attempt import Method

METHODS: tuple[Method, ...] = (password.METHOD,)
