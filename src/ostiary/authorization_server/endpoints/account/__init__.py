"""The user's own page and what it leads to: a page or an act is one file and one line here."""

from ostiary.authorization_server.endpoints.account import (
    applications,
    email,
    factors,
    overview,
    passkeys,
    password,
    recovery_codes,
    sessions,
    totp,
)
from ostiary.authorization_server.endpoints.base import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    overview.ENDPOINT,
    sessions.ENDPOINT,
    factors.ENDPOINT,
    password.ENDPOINT,
    totp.ENDPOINT,
    recovery_codes.ENDPOINT,
    applications.ENDPOINT,
    *passkeys.ENDPOINTS,
    email.CHANGE,
    email.VERIFY,
)

__all__ = ["ENDPOINTS"]
