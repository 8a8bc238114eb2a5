"""An application that signs users in: OAuth 2.0 with the code flow and PKCE, OpenID Connect Core 1.0 section 3.1."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Iterable
from urllib.parse import urlencode

from ostiary.client import authorization_request, authorization_response, user_token_request, userinfo
from ostiary.client.assertion import ClientProof, Clock, NewJti, new_jti
from ostiary.client.authorization_request import AuthorizationRequest, PendingAuthorization, Wanted
from ostiary.client.authorization_response import Callback
from ostiary.client.client_authentication import (
    ClientAuthentication,
    ClientSecretBasic,
    ClientSecretPost,
    PublicClient,
)
from ostiary.client.credential_file import KeySource, client_credential, load_client_identity
from ostiary.client.discovery import endpoint
from ostiary.client.exchange import Exchange, Shell
from ostiary.client.known_issuer import KnownIssuer
from ostiary.client.user_tokens import UserTokens
from ostiary.errors import ConfigurationError
from ostiary.protocol.credential import Credential
from ostiary.protocol.metadata import check_issuer_url
from ostiary.secret_files import read_secret_file


class Application:
    """Who an application is, at the one issuer that its credential is for.

    redirect_uri: where users come back to, as registered; a native application gives it to ``begin`` instead.
    key: its private key (path, bytes or SigningKey), for ``private_key_jwt``; kid: the key's registered name, where the
    key does not say. secret_file: a file of mode 0600 with its secret alone, for ``client_secret_basic``. Neither: it
    is public, such as an app on a device. ``from_file`` takes what ``ostiary client create --generate`` wrote.
    tls: a TLS context for calls to the issuer; clock, jti: for tests.

    One object serves any number of users, threads and event loops. What it does raises ConfigurationError,
    VerificationError, Unavailable, TokenRequestRefused, and AuthorizationRefused where user or server said no.
    """

    def __init__(
        self,
        *,
        issuer: str,
        client_id: str,
        redirect_uri: str | None = None,
        key: KeySource | None = None,
        kid: str | None = None,
        secret_file: str | os.PathLike[str] | None = None,
        tls: ssl.SSLContext | None = None,
        clock: Clock = time.time,
        jti: NewJti = new_jti,
    ) -> None:
        if key is not None and secret_file is not None:
            raise ConfigurationError("An application has a key or a secret: leave out key= or secret_file=.")
        self.issuer = check_issuer_url(issuer)
        self.client_id = client_id
        self.clock = clock
        self.shell = Shell(tls=tls)
        self._redirect_uri = redirect_uri
        self._known = KnownIssuer(self.issuer, clock)
        self._authentication: ClientAuthentication
        if key is not None:
            credential = client_credential(issuer=issuer, client_id=client_id, key=key, kid=kid)
            self._authentication = ClientProof(credential, clock=clock, jti=jti)
        elif secret_file is not None:
            self._authentication = ClientSecretBasic(client_id, _secret(secret_file))
        else:
            self._authentication = PublicClient(client_id)

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        redirect_uri: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> Application:
        """The application whose file, with a key or a secret, is at ``path`` (default: ``OSTIARY_CLIENT_FILE``)."""
        own = load_client_identity(path)
        if isinstance(own, Credential):
            return cls(issuer=own.issuer, client_id=own.client_id, redirect_uri=redirect_uri, key=own.key, tls=tls)
        made = cls(issuer=own.issuer, client_id=own.client_id, redirect_uri=redirect_uri, tls=tls)
        way = ClientSecretPost if own.authentication_method == ClientSecretPost.method else ClientSecretBasic
        made._authentication = way(own.client_id, own.secret)
        return made

    def begin(
        self,
        *,
        scope: str | Iterable[str] = "openid",
        resource: str | None = None,
        redirect_uri: str | None = None,
        prompt: str | None = None,
        max_age: int | None = None,
        acr_values: Iterable[str] = (),
        login_hint: str | None = None,
        ui_locales: str | None = None,
    ) -> AuthorizationRequest:
        """Begin a sign-in: send the browser to ``url``, keep ``pending`` until it is back.

        resource: the API that the tokens are for (RFC 8707). max_age, acr_values: how fresh (seconds) and how strong
        the sign-in must be; ``finish`` refuses anything less. The rest is of OpenID Connect Core 3.1.2.1.
        """
        wanted = Wanted(
            scope=scope,
            resource=resource,
            prompt=prompt,
            max_age=max_age,
            acr_values=acr_values,
            login_hint=login_hint,
            ui_locales=ui_locales,
        )
        return self.shell.run(self.beginning(wanted, redirect_uri))

    async def begin_async(
        self,
        *,
        scope: str | Iterable[str] = "openid",
        resource: str | None = None,
        redirect_uri: str | None = None,
        prompt: str | None = None,
        max_age: int | None = None,
        acr_values: Iterable[str] = (),
        login_hint: str | None = None,
        ui_locales: str | None = None,
    ) -> AuthorizationRequest:
        """As ``begin``, without blocking the event loop."""
        wanted = Wanted(
            scope=scope,
            resource=resource,
            prompt=prompt,
            max_age=max_age,
            acr_values=acr_values,
            login_hint=login_hint,
            ui_locales=ui_locales,
        )
        return await self.shell.run_async(self.beginning(wanted, redirect_uri))

    def finish(self, pending: PendingAuthorization, callback: Callback) -> UserTokens:
        """The tokens of the user who came back.

        callback: the URL that the browser came back to, or the parameters of its query. ``pending`` is used up,
        whatever comes of it: forget it first.
        """
        return self.shell.run(self.finishing(pending, callback))

    async def finish_async(self, pending: PendingAuthorization, callback: Callback) -> UserTokens:
        """As ``finish``, without blocking the event loop."""
        return await self.shell.run_async(self.finishing(pending, callback))

    def sign_out_url(self, tokens: UserTokens, *, post_logout_redirect_uri: str | None = None) -> str:
        """Where to send the browser to end the user's session at the issuer (RP-Initiated Logout 1.0 section 2)."""
        return self.shell.run(self.signing_out(tokens, post_logout_redirect_uri))

    async def sign_out_url_async(self, tokens: UserTokens, *, post_logout_redirect_uri: str | None = None) -> str:
        """As ``sign_out_url``, without blocking the event loop."""
        return await self.shell.run_async(self.signing_out(tokens, post_logout_redirect_uri))

    # -- the same as exchanges without I/O -----------------------------------------------------------------------------

    def beginning(self, wanted: Wanted, redirect_uri: str | None = None) -> Exchange[AuthorizationRequest]:
        """``begin``."""
        target = redirect_uri or self._redirect_uri
        if target is None:
            raise ConfigurationError("Where do users come back to? Give redirect_uri=, as it is registered.")
        metadata = yield from self._known.metadata()
        return authorization_request.build(metadata, self.client_id, target, wanted, now=self.clock())

    def finishing(self, pending: PendingAuthorization, callback: Callback) -> Exchange[UserTokens]:
        """``finish``."""
        self.check_own(pending.issuer, pending.client_id)
        metadata = yield from self._known.metadata()
        code = authorization_response.read(pending, metadata, callback, self.clock())
        return (yield from user_token_request.redeem(self._known, self._authentication, pending, code, self.clock))

    def refreshing(self, tokens: UserTokens, keep: Callable[[UserTokens], object]) -> Exchange[UserTokens]:
        """New tokens for ``tokens``; UserAuth does this by itself. Raises SignInRequired too.

        keep: see ``user_token_request.refresh``.
        """
        self.check_own(tokens.issuer, tokens.client_id)
        return (yield from user_token_request.refresh(self._known, self._authentication, tokens, self.clock, keep))

    def asking_userinfo(self, tokens: UserTokens, access_token: str) -> Exchange[dict[str, object]]:
        """The user's claims; UserAuth asks with a token that is good."""
        self.check_own(tokens.issuer, tokens.client_id)
        return (yield from userinfo.ask(self._known, self.client_id, tokens.subject, access_token))

    def signing_out(self, tokens: UserTokens, post_logout_redirect_uri: str | None) -> Exchange[str]:
        """``sign_out_url``."""
        self.check_own(tokens.issuer, tokens.client_id)
        url = endpoint((yield from self._known.metadata()), "end_session_endpoint")
        asked = {
            "id_token_hint": tokens.id_token,
            "client_id": self.client_id,
            "post_logout_redirect_uri": post_logout_redirect_uri,
        }
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return f"{url}{'&' if '?' in url else '?'}{query}"

    def check_own(self, issuer: str, client_id: str) -> None:
        """Raise ConfigurationError for what another issuer gave, or what was given to another client."""
        # RFC 9700 section 4.4: what one issuer gave goes to no other.
        if (issuer, client_id) != (self.issuer, self.client_id):
            raise ConfigurationError(
                f"That is of {client_id} at {issuer}, and this application is {self.client_id} at {self.issuer}: "
                "keep what belongs to each issuer and client apart."
            )

    def __repr__(self) -> str:
        return f"Application(client_id={self.client_id!r}, issuer={self.issuer!r})"


def _secret(path: str | os.PathLike[str]) -> str:
    try:
        secret = read_secret_file(path).decode("ascii").strip()
    except UnicodeDecodeError:
        secret = ""
    if not secret or secret.startswith("{") or len(secret.split()) != 1:
        raise ConfigurationError(
            f"The secret file {path} does not hold a secret alone, on one line; for a file that ostiary client create"
            " wrote, use Application.from_file."
        )
    return secret
