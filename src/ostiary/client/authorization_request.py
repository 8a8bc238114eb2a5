"""The request that sends a user to sign in: RFC 6749 section 4.1.1, RFC 7636, OpenID Connect Core 3.1.2.1."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import urlencode

import msgspec

from ostiary.client.discovery import endpoint
from ostiary.client.token_request import scope_text
from ostiary.errors import ConfigurationError
from ostiary.protocol import pkce
from ostiary.protocol.metadata import AuthorizationServerMetadata

PENDING_LIFE = 3600
"""Seconds within which the user must come back; the server keeps an interaction as long."""

NewSecret = Callable[[], str]
"""43 to 128 unguessable characters of A-Z a-z 0-9 - . _ ~, never the same twice."""


def new_secret() -> str:
    """256 random bits, base64url."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingAuthorization:
    """What an application must remember of a user's sign-in until they come back, and keep to itself.

    Keep it where only this user's browser leads to it (a server-side session, the memory of an app): that binding
    keeps a stranger's sign-in out of the user's browser. created_at: seconds since the epoch.
    """

    issuer: str
    client_id: str
    redirect_uri: str
    scope: str
    created_at: float
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)
    resource: str | None = None
    max_age: int | None = None
    acr_values: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """As JSON: a secret of this sign-in."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, document: bytes | str) -> PendingAuthorization:
        """What ``to_json`` made. Raises ConfigurationError."""
        try:
            return msgspec.json.decode(document, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ConfigurationError("That is no pending sign-in: keep what to_json() made, unchanged.") from None

    @property
    def is_openid(self) -> bool:
        """Whether an ID token was asked for."""
        return "openid" in self.scope.split()


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """Where to send the user's browser (``url``), and what to remember until they are back (``pending``)."""

    url: str
    pending: PendingAuthorization


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an application asks for; the members are those of ``Application.begin``."""

    scope: str | Iterable[str] = "openid"
    resource: str | None = None
    prompt: str | None = None
    max_age: int | None = None
    acr_values: Iterable[str] = ()
    login_hint: str | None = None
    ui_locales: str | None = None


def build(
    metadata: AuthorizationServerMetadata,
    client_id: str,
    redirect_uri: str,
    wanted: Wanted,
    *,
    now: float,
    secret: NewSecret = new_secret,
) -> AuthorizationRequest:
    """The request to ``metadata``'s authorization endpoint. now: seconds since the epoch.

    Raises ConfigurationError, and VerificationError("transport") for an endpoint without TLS.
    """
    methods = metadata.code_challenge_methods_supported
    if methods is not None and pkce.S256 not in methods:
        raise ConfigurationError(f"{metadata.issuer} does not take PKCE with S256: do not sign users in there.")
    pending = _pending(metadata.issuer, client_id, redirect_uri, wanted, now, secret)
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": pending.scope or None,
        "state": pending.state,
        "nonce": pending.nonce if pending.is_openid else None,
        "code_challenge": pkce.challenge(pending.code_verifier),
        "code_challenge_method": pkce.S256,
        "resource": wanted.resource,
        "prompt": wanted.prompt,
        "max_age": None if wanted.max_age is None else str(wanted.max_age),
        "acr_values": " ".join(pending.acr_values) or None,
        "login_hint": wanted.login_hint,
        "ui_locales": wanted.ui_locales,
    }
    url = endpoint(metadata, "authorization_endpoint")
    # "The endpoint URI MAY include an (...) query component, which MUST be retained" RFC 6749 section 3.1
    separator = "&" if "?" in url else "?"
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    return AuthorizationRequest(f"{url}{separator}{query}", pending)


def _pending(
    issuer: str, client_id: str, redirect_uri: str, wanted: Wanted, now: float, secret: NewSecret
) -> PendingAuthorization:
    state, nonce, verifier = secret(), secret(), secret()
    # CVE-2026-34511: a verifier that is also the state stands in URLs, and proves nothing any more.
    if len({state, nonce, verifier}) < 3 or not pkce.is_verifier(verifier):
        raise ConfigurationError("The source of randomness repeats itself, or gives no code verifier (RFC 7636 4.1).")
    if isinstance(wanted.acr_values, str):
        raise ConfigurationError(f"acr_values is a list: write acr_values=[{wanted.acr_values!r}].")
    if wanted.max_age is not None and wanted.max_age < 0:
        raise ConfigurationError("max_age is a number of seconds from 0 on.")
    return PendingAuthorization(
        issuer=issuer,
        client_id=client_id,
        redirect_uri=redirect_uri,
        scope=scope_text(wanted.scope) or "",
        created_at=now,
        state=state,
        nonce=nonce,
        code_verifier=verifier,
        resource=wanted.resource,
        max_age=wanted.max_age,
        acr_values=tuple(wanted.acr_values),
    )
