"""An httpx2 authentication that calls an API on a user's behalf: RFC 6750, refreshed by RFC 6749 section 6.

A refresh token is used once, and what comes of it is kept before it is used: the new tokens are saved, then handed
out. Where saving fails, nobody gets the new access token, and the next call saves again what came, so that a store that
fails for a while does not make the refresh token look stolen. Nor does an answer that is not to be trusted otherwise,
such as one with a bad ID token: its access token is used by nobody, its refresh token is saved for the next refresh.
"""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncGenerator, Collection, Generator, Iterator
from contextlib import contextmanager

import httpx2

from ostiary.client.application import Application
from ostiary.client.auth import allowed_origins, checked_origin
from ostiary.client.bearer_request import can_be_sent_again, refused_here, with_token
from ostiary.client.step_up import bearer_challenge, step_up
from ostiary.client.token_request import AccessToken
from ostiary.client.token_source import FLIGHT_LIMIT, TokenSource, usable_until
from ostiary.client.user_token_file import UserTokenFile
from ostiary.client.user_tokens import CallbackStore, SaveTokens, UserTokens, UserTokenStore
from ostiary.errors import ConfigurationError, Unavailable


class UserAuth(httpx2.Auth):
    """``httpx2.AsyncClient(auth=UserAuth(application, tokens, save=...))``, and the same for ``httpx2.Client``.

    tokens: of ``application.finish``. save: called with the new tokens at each refresh, before they are used; or store:
    where several processes share a user's tokens. One object per user, for any number of clients, threads, loops.
    origins: where the API is reached; default: the origin of the resource that the tokens are for.

    Its requests raise StepUpRequired where the API wants a fresher or stronger sign-in, SignInRequired where the
    user's permission has ended, and what ClientAuth's raise.
    """

    def __init__(
        self,
        application: Application,
        tokens: UserTokens,
        *,
        save: SaveTokens | None = None,
        store: UserTokenStore | None = None,
        origins: Collection[str] | None = None,
    ) -> None:
        if save is not None and store is not None:
            raise ConfigurationError("Tokens are kept by save= or by store=: leave out one of them.")
        application.check_own(tokens.issuer, tokens.client_id)
        self._application = application
        self._store = store or CallbackStore(save)
        self._origins = allowed_origins(tokens.resource, origins) if tokens.resource or origins is not None else None
        self._lock = threading.Lock()
        self._tokens = tokens
        self._unsaved: UserTokens | None = None
        self._turns: dict[int, threading.Lock] = {}
        self._source = TokenSource(self._renewed, clock=application.clock, token=tokens.access)

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        application: Application | None = None,
        origins: Collection[str] | None = None,
    ) -> UserAuth:
        """The tokens in the file that ``ostiary login`` wrote; renewed ones are put there.

        application: who they were issued to; default: a public application.
        """
        file = UserTokenFile(path)
        tokens = file.load()
        own = application or Application(issuer=tokens.issuer, client_id=tokens.client_id)
        return cls(own, tokens, store=file, origins=origins)

    @property
    def tokens(self) -> UserTokens:
        """The user's tokens as they are now."""
        with self._lock:
            return self._tokens

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send ``request`` with a token; after a 401 with ``invalid_token``, once more with a fresh one."""
        self._check_origin(request)
        token = self._source.token()
        response = yield with_token(request, token)
        if _token_refused(response, request) and can_be_sent_again(request):
            fresh = self._source.token(instead_of=token)
            if fresh.value != token.value:
                response = yield with_token(request, fresh)
                if _token_refused(response, request):
                    self._source.refused_again()

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """As ``sync_auth_flow``, without blocking the event loop."""
        self._check_origin(request)
        token = await self._source.token_async()
        response = yield with_token(request, token)
        if _token_refused(response, request) and can_be_sent_again(request):
            fresh = await self._source.token_async(instead_of=token)
            if fresh.value != token.value:
                response = yield with_token(request, fresh)
                if _token_refused(response, request):
                    self._source.refused_again()

    def userinfo(self) -> dict[str, object]:
        """The user's claims from the userinfo endpoint; ``sub`` is the ID token's (OpenID Connect Core 5.3.2)."""
        token = self._source.token()
        return self._application.shell.run(self._application.asking_userinfo(self.tokens, token.value))

    async def userinfo_async(self) -> dict[str, object]:
        """As ``userinfo``, without blocking the event loop."""
        token = await self._source.token_async()
        return await self._application.shell.run_async(self._application.asking_userinfo(self.tokens, token.value))

    def __repr__(self) -> str:
        return f"UserAuth(application={self._application!r}, subject={self.tokens.subject!r})"

    def _check_origin(self, request: httpx2.Request) -> None:
        if self._origins is None:
            raise ConfigurationError(
                "The tokens name no API: begin the sign-in with resource=, or say where they may go by origins=[...]."
            )
        checked_origin(str(request.url), self._origins)

    def _renewed(self) -> AccessToken:
        """Called in a thread of its own, and in a second one where the first has not come back for a minute."""
        before = self.tokens
        with self._turn(), self._store.held():
            tokens = self._latest()
            if self._unsaved is not None:
                tokens = self._saved(self._unsaved)
            # Somebody else was faster: their refresh token is the one that counts, and perhaps their token will do.
            if tokens.access.value != before.access.value and self._application.clock() < usable_until(tokens.access):
                return tokens.access
            try:
                self._unsaved = self._application.shell.run(self._application.refreshing(tokens, self._keep))
            finally:
                if self._unsaved is not None:
                    tokens = self._saved(self._unsaved)
            return tokens.access

    def _keep(self, tokens: UserTokens) -> None:
        self._unsaved = tokens

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One thread at a time. A forked process has not the thread that holds this turn, so it has one of its own."""
        turn = self._turns.setdefault(os.getpid(), threading.Lock())
        if not turn.acquire(timeout=FLIGHT_LIMIT):
            raise Unavailable("token endpoint", f"the refresh before has not ended within {FLIGHT_LIMIT:.0f} s")
        try:
            yield
        finally:
            turn.release()

    def _latest(self) -> UserTokens:
        """The tokens that count: those in the store, where another process or a new sign-in has put others there."""
        own, stored = self.tokens, self._store.load()
        if stored is None or _pair(stored) == _pair(own):
            return own
        self._unsaved = None  # of no more use
        checked = self._checked(stored)
        with self._lock:
            self._tokens = checked
        return checked

    def _saved(self, tokens: UserTokens) -> UserTokens:
        self._store.save(tokens)
        with self._lock:
            self._tokens, self._unsaved = tokens, None
        return tokens

    def _checked(self, latest: UserTokens) -> UserTokens:
        own = self.tokens
        if (latest.issuer, latest.client_id, latest.subject) != (own.issuer, own.client_id, own.subject):
            raise ConfigurationError("Somebody else has signed in meanwhile; make a new UserAuth for them.")
        if latest.resource != own.resource:
            raise ConfigurationError(
                f"The tokens are for {latest.resource} meanwhile, not for {own.resource}; make a new UserAuth for them."
            )
        return latest


def _pair(tokens: UserTokens) -> tuple[str | None, str]:
    """What tells tokens apart: not every server gives refresh tokens, nor a new one at each refresh."""
    return tokens.refresh_token, tokens.access.value


def _token_refused(response: httpx2.Response, request: httpx2.Request) -> bool:
    """Whether the API no longer takes the token. Raises StepUpRequired for one that is good, but not good enough."""
    if not refused_here(response, request):
        return False
    challenge = bearer_challenge(response.headers.get_list("www-authenticate"))
    if challenge is None:
        return False
    demand = step_up(challenge)
    if demand is not None:
        raise demand
    return challenge.parameters["error"] == "invalid_token"
