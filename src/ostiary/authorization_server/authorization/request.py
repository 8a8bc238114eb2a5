"""The authorization request: RFC 6749 section 4.1.1, OpenID Connect Core 3.1.2, RFC 7636, RFC 8707, RFC 9700.

Its checks stand in one table, in the order in which they are made, with who is told when one fails; every page on the
way makes them all. Until client and redirect URI are known to belong together, nobody is redirected anywhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from ostiary.errors import OAuthError
from ostiary.model.api import Api
from ostiary.model.client import Client
from ostiary.model.client_login import ClientLogin

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

Told = Literal["person", "client"]

OPENID_SCOPES: Final = {
    "openid": "know who you are",
    "profile": "see your name and profile",
    "email": "see your e-mail address",
    "phone": "see your phone number",
    "address": "see your postal address",
    "offline_access": "keep this access while you are away",
}
PARAMETERS: Final = frozenset(
    (
        "client_id",
        "redirect_uri",
        "response_type",
        "response_mode",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "prompt",
        "max_age",
        "acr_values",
        "login_hint",
        "ui_locales",
        "claims",
        "id_token_hint",
        "display",
        "request",
        "request_uri",
        "registration",
    )
)
"""Those that are read; ``resource`` stands apart, because it alone may be repeated."""


@dataclass(slots=True)
class AuthorizationRequest:
    """A request on its way through the checks; each check fills in what it has found good.

    parameters: the known ones, as sent; resources: every ``resource``. now: seconds since the epoch. scopes: for each
    API, "" for OpenID Connect's own, what is asked for. max_age: seconds. acr_values: wanted levels; acr_essential:
    whether the request fails without one. claims: names asked for one by one, by place (``userinfo``, ``id_token``).
    subject: the ``sub`` that must be the one who signs in.
    """

    server: AuthorizationServer
    parameters: dict[str, str]
    resources: tuple[str, ...]
    now: float
    client: Client = field(init=False)
    login: ClientLogin = field(init=False)
    redirect_uri: str = ""
    response_mode: str = "query"
    state: str | None = None
    apis: list[Api] = field(default_factory=list)
    scopes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    prompt: frozenset[str] = frozenset()
    max_age: int | None = None
    acr_values: tuple[str, ...] = ()
    acr_essential: bool = False
    claims: dict[str, dict[str, object]] = field(default_factory=dict)
    subject: str | None = None

    @property
    def is_openid(self) -> bool:
        """Whether it asks for an ID token."""
        return "openid" in self.scopes.get("", ())

    @property
    def is_confidential(self) -> bool:
        """Whether its client proves itself at the token endpoint."""
        return self.client.authentication_method != "none"


Check = Callable[[AuthorizationRequest], Awaitable[None]]


@dataclass(slots=True)  # not frozen: contextlib sets the traceback of what passes through it
class Refused(Exception):
    """A check failed. redirect: whether the client may be told, because its redirect URI is known to be its own."""

    error: OAuthError
    request: AuthorizationRequest
    redirect: bool


async def checked(request: AuthorizationRequest) -> AuthorizationRequest:
    """``request``, every check passed. Raises Refused, Unavailable."""
    from ostiary.authorization_server.authorization.checks import CHECKS

    for check, told in CHECKS:
        try:
            await check(request)
        except OAuthError as error:
            raise Refused(error, request, redirect=told == "client") from None
    return request
