"""The guard of an API: one object for every framework, driving the verifier from an event loop or from threads."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostiary.errors import ConfigurationError, OstiaryError, Unavailable
from ostiary.protocol import client_request_jwt
from ostiary.protocol.checks import checked_leeway
from ostiary.protocol.credential import Credential
from ostiary.resource_server import configuration, protected_resource
from ostiary.resource_server import replay as replay_memory
from ostiary.resource_server.attempt import Attempt
from ostiary.resource_server.client_certificates import ClientCertificates, FromTls
from ostiary.resource_server.client_keys import DEFAULT_TTL as CLIENT_KEY_TTL
from ostiary.resource_server.configuration import Configuration, Issuers
from ostiary.resource_server.elapsed import elapsed
from ostiary.resource_server.errors import MalformedRequest, MissingCredential, Refused, refusal
from ostiary.resource_server.feed import RevocationStatus
from ostiary.resource_server.http import Http, StreamingHttpPort
from ostiary.resource_server.introspection import DEFAULT_TTL as INTROSPECTION_TTL
from ostiary.resource_server.principal import Principal
from ostiary.resource_server.request import ApiRequest, find_credential
from ostiary.resource_server.scopes import Implies, broader_by_colon
from ostiary.resource_server.signed_in_user import SignInDemand
from ostiary.resource_server.sinks import Sinks
from ostiary.resource_server.sources import Sources
from ostiary.resource_server.token_cache import DEFAULT_SIZE, TokenCache
from ostiary.resource_server.verifier import Rules, Verifier
from ostiary.resource_server.watch import (
    DEFAULT_MAX_STALENESS,
    REFUSE,
    RevocationChoice,
    WhenStale,
    checked_max_staleness,
    checked_when_stale,
)
from ostiary.trace import TraceSink, new_trace_id

if TYPE_CHECKING:
    from ostiary.replay.base import ReplayMemory

logger = logging.getLogger("ostiary.resource_server")


class ResourceServer:
    """Admits or refuses each request to an API.

    issuer: whom to trust: a URL, an IssuerConfig, or several. Default: OSTIARY_ISSUER.
    audience: this API's identifier (several while it changes; the first is its own). Default: OSTIARY_AUDIENCE.
    credential: this API's own identity: a Credential or the path of its file, which its owner alone may read. Default:
    OSTIARY_API_KEY_FILE. Without it only self-contained tokens can be verified, until they expire, and a warning says
    so at start.
    accept_client_requests: take a client's own JWT in ``client_request_header`` (``protocol.client_request_jwt``).
    replay: the memory of their ``jti``; default: Valkey at OSTIARY_REPLAY_URL, for an API on several hosts, else a file
    shared by the processes of this host, see ``configuration.default_replay_file``. ``ProcessReplayMemory()`` serves
    one process only, so it must be asked for.
    public_url: where callers reach this API, the front of ``htu``; never taken from Host. Default: the audience.
    implies: which scope implies which, see ``ostiary.resource_server.scopes``.
    scopes: the scopes of this API with a description, for its metadata and OpenAPI.
    traces: where refused decisions go; default: the log ``ostiary.traces``, the file OSTIARY_TRACE_FILE, and, with a
    credential, the issuer.
    introspection_ttl, client_key_ttl: seconds; how long an answer may be kept, and so a revoked one be taken.
    token_cache_size: verified tokens kept, 0 for none. leeway: seconds between clocks, at most 60.
    revocation: how to learn that a self-contained token was revoked. ``"feed"``: the issuer tells, and the token is
    refused at its next request; ``"introspect"``: each one is asked about, an answer kept for ``introspection_ttl``;
    ``"status_list"``: the list that it names is looked at, which is kept as long as it says itself (any issuer's);
    ``"until_expiry"``: not at all; or a RevocationHook, which is asked at each request, for tokens seen before too.
    Default: OSTIARY_REVOCATION, else the feed, which needs a credential at each issuer.
    max_staleness: seconds, how old what the feed has told may be. when_stale: what becomes of a self-contained token
    after that: ``"refuse"`` it with 503, or ``"introspect"`` it.
    client_certificates: where the certificate stands that a token may be bound to: ``FromTls()``, the default, or
    ``FromProxy(...)``. require_bound_tokens: take no access token that is bound to none (RFC 8705).
    clock: seconds since the epoch, for the times in tokens; elapsed: seconds that only go forward, for the age of
    caches, which a clock that is set back does not make younger.
    Raises ConfigurationError.
    """

    def __init__(
        self,
        issuer: Issuers = None,
        audience: str | Sequence[str] | None = None,
        credential: Credential | Path | str | None = None,
        *,
        accept_client_requests: bool = False,
        client_request_header: str = client_request_jwt.HEADER,
        replay: ReplayMemory | None = None,
        public_url: str | None = None,
        implies: Implies = broader_by_colon,
        scopes: Mapping[str, str] | None = None,
        traces: TraceSink | Sequence[TraceSink] | None = None,
        introspection_ttl: float = INTROSPECTION_TTL,
        client_key_ttl: float = CLIENT_KEY_TTL,
        token_cache_size: int = DEFAULT_SIZE,
        leeway: float = 10,
        revocation: RevocationChoice | None = None,
        max_staleness: float = DEFAULT_MAX_STALENESS,
        when_stale: WhenStale = REFUSE,
        client_certificates: ClientCertificates | None = None,
        require_bound_tokens: bool = False,
        clock: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = elapsed,
        http: StreamingHttpPort | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        read = configuration.read(issuer, audience, credential, public_url, revocation, environment)
        self.clock, self.elapsed, self.http = clock, elapsed, http or Http()
        self.audience, self.scopes = read.audiences[0], dict(scopes or {})
        if replay is None and accept_client_requests:
            replay = replay_memory.shared_memory(self.audience, leeway, environment)
        self._given_replay, self._environment = replay, environment
        self.sources = self._sources(read, introspection_ttl, client_key_ttl, leeway, max_staleness, when_stale)
        rules = Rules(
            audiences=read.audiences,
            public_url=read.public_url,
            direct_header=_direct_header(client_request_header, read, self.sources) if accept_client_requests else None,
            leeway=leeway,
            implies=implies,
            reference_issuer=self.sources.reference_issuer,
            direct_issuer=self.sources.direct_issuer,
            certificates=client_certificates or FromTls(),
            bound_only=require_bound_tokens,
        )
        self.verifier = Verifier(rules, self.sources.keys, self.sources.watches, TokenCache(token_cache_size))
        self._sinks = Sinks(traces, self.sources, self.http, clock, environment)
        self._announce(accept_client_requests)

    def step_up(self, *, max_age: int | None = None, acr_values: Sequence[str] = ()) -> ResourceServer:
        """This guard for operations that demand more of their user's sign-in (RFC 9470), wherever it stands for one.

        max_age: seconds since the user last proved themselves; acr_values: one of these levels, or a stronger one.
        It shares everything with this guard: ``Security(guard.step_up(max_age=300), scopes=["orders:write"])``. What
        this guard demands already, it demands too. Raises ConfigurationError.
        """
        stricter = copy(self)
        stricter.verifier = self.verifier.demanding(SignInDemand(max_age, acr_values))
        return stricter

    def shares_with(self, other: ResourceServer) -> bool:
        """Whether one of them was made of the other by ``step_up``, so that one may judge what the other verified."""
        return self.sources is other.sources

    async def check(self, request: ApiRequest, scopes: Sequence[str] = ()) -> Principal:
        """The caller of ``request``, if they may do what needs all of ``scopes``. Raises Refused."""
        attempt = Attempt(request, scopes, self.clock(), self.elapsed())
        decision = self.verifier.verify(attempt)
        try:
            need = next(decision)
            while True:
                try:
                    answer = await self.sources.answer(need, attempt)
                except OstiaryError as error:
                    need = decision.throw(error)
                else:
                    self._date(attempt)
                    need = decision.send(answer)
        except StopIteration as admitted:
            return admitted.value  # type: ignore[no-any-return]
        except OstiaryError as error:
            raise self._refuse(attempt, error) from error

    def check_sync(self, request: ApiRequest, scopes: Sequence[str] = ()) -> Principal:
        """The same from a thread."""
        attempt = Attempt(request, scopes, self.clock(), self.elapsed())
        decision = self.verifier.verify(attempt)
        try:
            need = next(decision)
            while True:
                try:
                    answer = self.sources.answer_sync(need, attempt)
                except OstiaryError as error:
                    need = decision.throw(error)
                else:
                    self._date(attempt)
                    need = decision.send(answer)
        except StopIteration as admitted:
            return admitted.value  # type: ignore[no-any-return]
        except OstiaryError as error:
            raise self._refuse(attempt, error) from error

    def allow(self, request: ApiRequest, principal: Principal, scopes: Sequence[str]) -> None:
        """Whether the caller of ``request``, already verified, may do what needs all of ``scopes``. Raises Refused."""
        attempt = Attempt(request, scopes, self.clock(), self.elapsed())
        try:
            self.verifier.admit(attempt, principal)
        except OstiaryError as error:
            raise self._refuse(attempt, error) from error

    def presented(self, request: ApiRequest) -> bool:
        """Whether ``request`` carries any credential, good or bad, that this guard would look at."""
        try:
            find_credential(request, self.verifier.rules.direct_header)
        except MissingCredential:
            return any(name == b"authorization" for name, _ in request.headers)
        except MalformedRequest:
            return True
        return True

    @cached_property
    def metadata_url(self) -> str | None:
        """Where the document of RFC 9728 about this API stands; None if its identifier is no URL."""
        return protected_resource.url(self.audience)

    @cached_property
    def metadata_path(self) -> str | None:
        """The path of ``metadata_url``."""
        return protected_resource.path(self.audience)

    @cached_property
    def replay(self) -> ReplayMemory:
        """The memory of used ``jti``, opened at first use."""
        return self._given_replay or replay_memory.memory_of_this_host(self.audience, self._environment)

    def protected_resource_metadata(self) -> bytes:
        """The document of RFC 9728 about this API, JSON."""
        rules = self.verifier.rules
        return protected_resource.document(
            self.audience, tuple(self.sources.keys), self.scopes, bound_only=rules.bound_only
        )

    def revocation_status(self) -> dict[str, RevocationStatus]:
        """By issuer: how this API learns of revocations, how old what it knows can be, and what went wrong last."""
        return self.sources.revocation_status()

    @asynccontextmanager
    async def lifespan(self, app: Any = None) -> AsyncIterator[None]:
        """The life of an application (ASGI): keys fetched and revocations followed before the first request, traces
        sent before the end.

        An issuer that cannot be reached does not keep the application from starting; its tokens are refused meanwhile.
        """
        if app is not None:
            self._furnish(app)
        for issuer in self.sources.keys:
            try:
                await self.sources.ready(issuer, None)
            except Unavailable as error:
                logger.warning("%s; its tokens are refused until it answers", error)
        await self._check_replay()
        with suppress(Unavailable):  # the first token tries again
            self.sources.follower.start()
        try:
            yield
        finally:
            await asyncio.to_thread(self.close)
            await self.http.aclose()
            if isinstance(self._given_replay, replay_memory.SharedMemory):
                await self._given_replay.aclose()

    @property
    def __wrapped__(self) -> Any:
        # FastAPI asks a dependency what it wraps: a security scheme, so that OpenAPI shows it. Nobody else is told.
        if "fastapi" not in sys.modules:
            raise AttributeError("__wrapped__")
        from ostiary.resource_server import fastapi

        return fastapi.scheme_of(self)

    async def __call__(self, connection: Any, security_scopes: Any) -> Principal:
        """As a dependency of FastAPI: ``Security(guard, scopes=["orders:read"])``."""
        from ostiary.resource_server import fastapi

        return await fastapi.depend(self, connection, security_scopes)

    def close(self) -> None:
        """Follow no feed any more, and send the traces that wait, within two seconds each.

        ``lifespan`` does it at the end of an ASGI application.
        """
        self.sources.follower.close()
        self._sinks.close()

    def _sources(
        self,
        read: Configuration,
        introspection_ttl: float,
        client_key_ttl: float,
        leeway: float,
        max_staleness: float,
        when_stale: WhenStale,
    ) -> Sources:
        return Sources(
            read.issuers,
            self.audience,
            self.http,
            self.clock,
            self.elapsed,
            replay=lambda: self.replay,
            introspection_ttl=introspection_ttl,
            client_key_ttl=client_key_ttl,
            leeway=checked_leeway(leeway),
            max_staleness=checked_max_staleness(max_staleness),
            when_stale=checked_when_stale(when_stale),
        )

    def _furnish(self, app: Any) -> None:
        if "fastapi" in sys.modules:
            from ostiary.resource_server import fastapi

            fastapi.furnish(self, app)
        elif "starlette" in sys.modules:
            from ostiary.resource_server import starlette

            starlette.furnish(self, app)

    async def _check_replay(self) -> None:
        """Raises ConfigurationError for a memory that would forget; one that is gone keeps nobody from starting."""
        if self.verifier.rules.direct_header is not None and isinstance(self.replay, replay_memory.SharedMemory):
            try:
                await self.replay.check()
            except Unavailable as error:
                logger.warning("%s; client JWTs are refused until it answers", error)

    def _date(self, attempt: Attempt) -> None:
        # An answer may have been waited for: what was young enough before it may be too old since.
        attempt.now, attempt.instant = self.clock(), self.elapsed()

    def _refuse(self, attempt: Attempt, error: OstiaryError) -> Refused:
        trace_id = new_trace_id()
        if isinstance(error, Unavailable):
            logger.error("%s (%s)", error, trace_id)
        self._sinks.record(attempt.story(error, self.audience, trace_id))
        return refusal(error, trace_id, needed=attempt.scopes, resource_metadata=self.metadata_url)

    def _announce(self, direct: bool) -> None:
        for config in self.sources.keys.values():
            level, kinds = logging.INFO, "self-contained tokens"
            if config.config.credential is not None:
                kinds += ", reference tokens" + (", client JWTs" if direct else "")
            else:
                # A warning, for it is seen where nobody has set up logging, and the API takes less than it could.
                level, kinds = logging.WARNING, kinds + " only (no API key: OSTIARY_API_KEY_FILE)"
            logger.log(level, "%s trusts %s and can verify %s", self.audience, config.issuer, kinds)


def _direct_header(name: str, read: Configuration, sources: Sources) -> bytes:
    """The header for client JWTs, if they can be verified at all."""
    configuration.check_public_url(read.public_url)
    if not sources.own:
        raise ConfigurationError(
            "Client JWTs need the API's own identity, to look their keys up: set OSTIARY_API_KEY_FILE."
        )
    return configuration.header_name(name)
