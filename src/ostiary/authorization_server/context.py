"""The authorization server as its endpoints see it: settings, storage, what is known, keys, clock and counters."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ostiary.authorization_server.client_trust import ClientTrust, ConfiguredTrust
from ostiary.authorization_server.concurrency import Concurrency
from ostiary.authorization_server.feed import hub_of
from ostiary.authorization_server.key_use import KeyUse
from ostiary.authorization_server.password_hashing import PasswordHashing
from ostiary.authorization_server.registry import Registry
from ostiary.authorization_server.status_lists.places import StatusPlaces
from ostiary.authorization_server.token_bucket import SourceBuckets
from ostiary.authorization_server.unauthenticated import UnauthenticatedRefusals
from ostiary.revocation_feed.base import WakeUps
from ostiary.revocation_feed.hub import Hub
from ostiary.revocation_feed.memory import MemoryWakeUps
from ostiary.storage.base import Storage

if TYPE_CHECKING:
    from ostiary.authorization_server.published_keys import PublishedKeys
    from ostiary.authorization_server.seals import Seals
    from ostiary.authorization_server.signing_keys import SigningKeys
    from ostiary.authorization_server.trust_bundles import TrustBundles
    from ostiary.authorization_server.upstream_providers import UpstreamProviders
    from ostiary.certificate_authority.authorities import Authorities
    from ostiary.settings import Settings

_ACCOUNTS_AT_ONCE = 50  # so many ACME accounts may use up what each may ask for

EventHook = Callable[[str, Mapping[str, str]], None]


def _ignore(name: str, labels: Mapping[str, str]) -> None:
    """The hook of a server whose events nobody counts."""


@dataclass(slots=True)
class AuthorizationServer:
    """Built once a process; ``on_event(name, labels)`` is called for each decision and must be cheap.

    clock: seconds since the epoch. monotonic: seconds, for limits by time. held_polls: the event
    streams of which this process holds a request until there is something to tell.
    """

    settings: Settings
    storage: Storage
    registry: Registry
    signing_keys: SigningKeys
    published_keys: PublishedKeys
    seals: Seals
    authorities: Authorities
    clock: Callable[[], float]
    on_event: EventHook = _ignore
    concurrency: Concurrency = field(default_factory=Concurrency)
    key_use: KeyUse = field(default_factory=KeyUse)
    passwords: PasswordHashing = field(default_factory=PasswordHashing)
    upstreams: UpstreamProviders | None = None
    trust_bundles: TrustBundles | None = None
    client_trust: ClientTrust = field(default_factory=ConfiguredTrust)
    wake_ups: WakeUps = field(default_factory=MemoryWakeUps)
    monotonic: Callable[[], float] = time.monotonic
    unauthenticated: UnauthenticatedRefusals = field(init=False)
    held_polls: set[str] = field(default_factory=set)
    acme_requests: SourceBuckets = field(init=False)
    status_places: StatusPlaces = field(init=False)
    feed: Hub = field(init=False)

    def __post_init__(self) -> None:
        self.unauthenticated = UnauthenticatedRefusals(self.settings, self.monotonic)
        self.status_places = StatusPlaces(self.storage, self.signing_keys, self.settings, self.clock)
        each = self.settings.acme.requests_per_minute
        self.acme_requests = SourceBuckets(_ACCOUNTS_AT_ONCE * each, each, self.monotonic)
        self.feed = hub_of(self)

    @property
    def issuer(self) -> str:
        """The issuer identifier: from configuration, never from a request."""
        return self.settings.issuer

    async def flush(self) -> None:
        """Write what is kept back from the hot path: the last use of client keys. For a chore every few seconds."""
        await self.key_use.flush(self.storage)

    async def summarise_refusals(self) -> None:
        """Write one event over the refusals that got no rows of their own. For a chore, and for a stop."""
        await self.unauthenticated.summarise(self.storage, now=self.clock())
