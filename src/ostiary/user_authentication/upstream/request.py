"""The authentication request to the provider: OpenID Connect Core 3.1.2.1, with PKCE (RFC 7636)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ostiary.authorization_server.browser.cookies import BrowserSecrets
from ostiary.authorization_server.upstream_providers import UpstreamProviders
from ostiary.errors import ConfigurationError, OAuthError, Unavailable
from ostiary.protocol import pkce
from ostiary.protocol.metadata import check_https_url
from ostiary.settings.upstream import UpstreamSettings
from ostiary.user_authentication.upstream import state as states
from ostiary.user_authentication.upstream.state import State

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer


def settings_of(server: AuthorizationServer, upstream: str) -> UpstreamSettings:
    """The settings of the provider. Raises OAuthError: there is none of this name."""
    found = server.settings.upstream.get(upstream)
    if found is None:
        raise OAuthError("invalid_request", "there is no such provider", status=404, check="upstream", seen=upstream)
    return found


def providers(server: AuthorizationServer) -> UpstreamProviders:
    """What fetches from providers. Raises Unavailable."""
    if server.upstreams is None:
        raise Unavailable("upstream", "this process has no fetcher")
    return server.upstreams


def redirect_uri(server: AuthorizationServer, upstream: str) -> str:
    """Where this provider sends the browser back to, and no other one does."""
    return f"{server.issuer.rstrip('/')}/upstream/{upstream}/callback"


async def authentication_url(server: AuthorizationServer, state: State, browser: BrowserSecrets) -> str:
    """Where the browser is sent to. Raises VerificationError, Unavailable, OAuthError."""
    settings = settings_of(server, state.upstream)
    endpoint = (await providers(server).metadata(settings)).authorization_endpoint
    try:
        if endpoint is None:
            raise ConfigurationError("the metadata names no authorization_endpoint")
        check_https_url(endpoint, "authorization_endpoint")
    except ConfigurationError as error:
        raise Unavailable("upstream", f"{settings.issuer}: {error}") from None
    parameters = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": redirect_uri(server, state.upstream),
        "scope": " ".join(settings.scopes),
        "state": states.seal(server, state, browser),
        "nonce": states.nonce(server, state),
        "code_challenge": pkce.challenge(states.verifier(server, state)),
        "code_challenge_method": pkce.S256,
    }
    if state.max_age is not None:
        parameters["max_age"] = str(state.max_age)
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters)}"
