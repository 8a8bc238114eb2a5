"""The answers to the verifier's needs: from what is known, else by an exchange that all who wait share."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ostiary.errors import ConfigurationError, Unavailable
from ostiary.protocol.metadata import AuthorizationServerMetadata
from ostiary.protocol.revocation_feed import Row
from ostiary.protocol.status_list import StatusList
from ostiary.resource_server.client_keys import ClientKeys, Looked
from ostiary.resource_server.feed import Feed, RevocationStatus
from ostiary.resource_server.flights import Flights
from ostiary.resource_server.follower import Follower
from ostiary.resource_server.http import HttpRequest, HttpResponse, StreamingHttpPort
from ostiary.resource_server.introspection import Introspected, Introspection
from ostiary.resource_server.issuer import IssuerConfig
from ostiary.resource_server.keys import IssuerKeys, Next
from ostiary.resource_server.needs import (
    Answer,
    Need,
    NeedClientKey,
    NeedIntrospection,
    NeedKey,
    NeedReplayCheck,
    NeedRevocations,
    NeedStatusList,
)
from ostiary.resource_server.status_lists import FetchedList, StatusLists
from ostiary.resource_server.watch import FEED, UNTIL_EXPIRY, RevocationChoice, Watch, WhenStale, without_feed

if TYPE_CHECKING:
    from ostiary.replay.base import ReplayMemory
    from ostiary.resource_server.attempt import Attempt

Steps = Generator[HttpRequest, HttpResponse, Introspected | Looked]


class Sources:
    """Everything that this API asks of others, for each issuer; once for async callers, once for threads."""

    def __init__(
        self,
        configs: Sequence[IssuerConfig],
        audience: str,
        http: StreamingHttpPort,
        clock: Callable[[], float],
        elapsed: Callable[[], float],
        *,
        replay: Callable[[], ReplayMemory],
        introspection_ttl: float,
        client_key_ttl: float,
        leeway: float,
        max_staleness: float,
        when_stale: WhenStale,
    ) -> None:
        self.keys = {config.issuer: IssuerKeys(config, elapsed) for config in configs}
        self._introspections = {
            issuer: Introspection(keys, clock, elapsed, ttl=introspection_ttl) for issuer, keys in self.keys.items()
        }
        self._status_lists = {
            issuer: StatusLists(keys, clock, elapsed, leeway=leeway) for issuer, keys in self.keys.items()
        }
        self.own = [config for config in configs if config.credential is not None]
        self._client_keys = (
            ClientKeys(self.keys[self.own[0].issuer], audience, clock, elapsed, ttl=client_key_ttl)
            if self.own
            else None
        )
        self.feeds = {
            config.issuer: Feed(
                config.issuer,
                leeway=leeway,
                max_staleness=max_staleness,
                clock=clock,
                elapsed=elapsed,
                ended=partial(self._ended, config.issuer),
            )
            for config in configs
            if config.revocation == FEED
        }
        self.watches = {config.issuer: self._watch(config) for config in configs}
        self.follower = Follower(self.feeds, self, http, clock, when_stale=when_stale)
        self._replay = replay
        self._fetches: Flights[None] = Flights(http)
        self._questions: Flights[Introspected | Looked] = Flights(http)
        self._lists: Flights[FetchedList] = Flights(http)

    @property
    def direct_issuer(self) -> str:
        """The issuer whose key store is asked about client JWTs; empty without an identity anywhere."""
        return self.own[0].issuer if self.own else ""

    def reference_issuer(self, installation: str) -> str:
        """The issuer to ask about a reference token of ``installation``; empty if there is none.

        A token is shown to no issuer but its own: with several, each has to say which installation it is.
        """
        for config in self.own:
            if config.installation == installation:
                return config.issuer
        undeclared = [config for config in self.own if config.installation is None]
        return undeclared[0].issuer if len(self.own) == 1 and undeclared else ""

    async def answer(self, need: Need, attempt: Attempt) -> Answer:
        """The answer to ``need`` of ``attempt``. Raises Unavailable."""
        match need:
            case NeedKey(issuer, kid):
                await self.ready(issuer, kid)
                return self.keys[issuer].find(kid)
            case NeedRevocations(issuer):
                return await self.follower.caught_up(issuer)
            case NeedStatusList():
                return await self._status_list(need, attempt.instant)
            case NeedReplayCheck(issuer, jti, expires_at):
                memory = self._replay()
                return await memory.first_time(issuer, jti, expires_at=expires_at, now=attempt.now)
            case _:
                issuer, known, steps = self._asked(need, attempt.instant)
                if known is None:
                    await self.ready(issuer, None)
                    known = await self._questions.run(self._flight_key(need), steps)
                return _unpacked(known)

    def answer_sync(self, need: Need, attempt: Attempt) -> Answer:
        """The same from a thread."""
        match need:
            case NeedKey(issuer, kid):
                self.ready_sync(issuer, kid)
                return self.keys[issuer].find(kid)
            case NeedRevocations(issuer):
                return self.follower.caught_up_sync(issuer)
            case NeedStatusList():
                return self._status_list_sync(need, attempt.instant)
            case NeedReplayCheck(issuer, jti, expires_at):
                return self._replay().first_time_sync(issuer, jti, expires_at=expires_at, now=attempt.now)
            case _:
                issuer, known, steps = self._asked(need, attempt.instant)
                if known is None:
                    self.ready_sync(issuer, None)
                    known = self._questions.run_sync(self._flight_key(need), steps)
                return _unpacked(known)

    async def _status_list(self, need: NeedStatusList, instant: float) -> StatusList:
        lists = self._status_lists[need.issuer]
        found = lists.known(need, instant)
        if found is None:
            fetched = await self._lists.run(need, lambda: lists.ask(need))
            await self.ready(need.issuer, fetched.parsed.header.kid)
            found = lists.ready(need, fetched)
        return found

    def _status_list_sync(self, need: NeedStatusList, instant: float) -> StatusList:
        lists = self._status_lists[need.issuer]
        found = lists.known(need, instant)
        if found is None:
            fetched = self._lists.run_sync(need, lambda: lists.ask(need))
            self.ready_sync(need.issuer, fetched.parsed.header.kid)
            found = lists.ready(need, fetched)
        return found

    async def ready(self, issuer: str, kid: str | None) -> None:
        """Fetch the issuer's metadata and keys if that is due before ``kid`` (None: none) can be told."""
        step = self._plan(issuer, kid)
        if step in (Next.FETCH, Next.ASK):
            try:
                await self._fetches.run(issuer, self.keys[issuer].fetch)
            except Unavailable:
                if step is Next.FETCH:
                    raise

    def ready_sync(self, issuer: str, kid: str | None) -> None:
        """The same from a thread."""
        step = self._plan(issuer, kid)
        if step in (Next.FETCH, Next.ASK):
            try:
                self._fetches.run_sync(issuer, self.keys[issuer].fetch)
            except Unavailable:
                if step is Next.FETCH:
                    raise

    def metadata(self, issuer: str) -> AuthorizationServerMetadata | None:
        """What is known of the issuer; None before its first answer."""
        return self.keys[issuer].metadata

    def revocation_status(self) -> dict[str, RevocationStatus]:
        """How this API learns of revocations by each issuer, and how old that can be."""
        return {issuer: self._status(issuer, keys.config.revocation) for issuer, keys in self.keys.items()}

    def _status(self, issuer: str, choice: RevocationChoice | None) -> RevocationStatus:
        if issuer in self.feeds:
            return self.feeds[issuer].status()
        return RevocationStatus(issuer=issuer, choice=choice if isinstance(choice, str) else "hook")

    def _watch(self, config: IssuerConfig) -> Watch:
        feed = self.feeds.get(config.issuer)
        return feed.watch if feed is not None else without_feed(config.revocation or UNTIL_EXPIRY)

    def _ended(self, issuer: str, rows: Sequence[Row]) -> None:
        if self._client_keys is not None and issuer == self.direct_issuer:
            self._client_keys.forget(rows)

    def _flight_key(self, need: NeedClientKey | NeedIntrospection) -> object:
        if isinstance(need, NeedIntrospection):
            return need.issuer, need.digest
        # Nobody who asks after a revocation may share an answer that was asked for before it.
        return need, self._client_keys.generation if self._client_keys is not None else 0

    def _plan(self, issuer: str, kid: str | None) -> Next:
        keys = self.keys[issuer]
        step = keys.plan(kid)
        if step is Next.RENEW:
            self._fetches.start(issuer, keys.fetch)
        elif step is Next.UNKNOWN and self._fetches.running(issuer):
            return Next.FETCH  # somebody asked a moment ago: wait for the same answer
        return step

    def _asked(
        self, need: NeedClientKey | NeedIntrospection, instant: float
    ) -> tuple[str, Introspected | Looked | None, Callable[[], Steps]]:
        # What the feed tells ends what is kept of the answers, too.
        self.follower.start()
        if isinstance(need, NeedIntrospection):
            introspection = self._introspections[need.issuer]
            return need.issuer, introspection.known(need, instant), lambda: introspection.ask(need)
        client_keys = self._client_keys
        if client_keys is None:
            raise ConfigurationError("Client JWTs need the API's own identity: set OSTIARY_API_KEY_FILE.")
        return self.own[0].issuer, client_keys.known(need, instant), lambda: client_keys.ask(need)


def _unpacked(answer: object) -> Answer:
    if isinstance(answer, Introspected):
        return answer.claims
    return answer.found if isinstance(answer, Looked) else None
