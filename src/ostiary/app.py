"""The composition root: the one place where the server's adapters meet."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp

from ostiary import __version__
from ostiary.admin.feed_readers import overall
from ostiary.audit.export import HeadsFile
from ostiary.audit.folding import Folding
from ostiary.audit.retention import drop_older
from ostiary.audit.sealer import Sealer
from ostiary.authorization_server import backchannel_logout, certificate_refusals
from ostiary.authorization_server.asgi import create_asgi, create_mtls_asgi
from ostiary.authorization_server.client_trust import ConfiguredTrust, read_authorities
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.deliverer import Deliverer, Handler
from ostiary.authorization_server.own_authorities import WithOwnAuthorities
from ostiary.authorization_server.published_keys import PublishedKeys
from ostiary.authorization_server.registry import Registry
from ostiary.authorization_server.seals import Seals
from ostiary.authorization_server.signing_keys import SigningKeys
from ostiary.authorization_server.status_lists.publisher import StatusListPublisher
from ostiary.authorization_server.trust_bundles import TrustBundles
from ostiary.authorization_server.unauthenticated import INTERVAL as SUMMARY_INTERVAL
from ostiary.authorization_server.upstream_providers import UpstreamProviders
from ostiary.certificate_authority.acme.validation.validator import Validator
from ostiary.certificate_authority.authorities import Authorities
from ostiary.certificate_authority.revocation_lists import RevocationLists
from ostiary.fetching.guarded import GuardedFetcher
from ostiary.key_management.base import KeyManagement
from ostiary.key_management.file import FileKeyManagement
from ostiary.key_management.open import key_token
from ostiary.model.delivery import DeliveryKind
from ostiary.model.event import AuditEvent
from ostiary.revocation_feed.open import wake_ups_for
from ostiary.serving.housekeeping import Chore
from ostiary.serving.late_app import LateApp
from ostiary.serving.metrics import Metrics
from ostiary.settings import Settings
from ostiary.shared_signals.late import LateStreams
from ostiary.shared_signals.push import Pusher
from ostiary.shared_signals.reception import Source
from ostiary.shared_signals.upstream_stream import UpstreamStream
from ostiary.storage.base import Storage
from ostiary.storage.open import storage_for
from ostiary.user_authentication import pages
from ostiary.user_authentication.mail import postman

Clock = Callable[[], float]
DAY = 86_400
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Installation:
    """Every part of a running server, built once a process."""

    settings: Settings
    storage: Storage
    key_management: KeyManagement
    signing_keys: SigningKeys
    registry: Registry
    server: AuthorizationServer
    sealer: Sealer
    fetcher: GuardedFetcher
    metrics: Metrics
    clock: Clock

    @property
    def authorities(self) -> Authorities:
        """Of our own CA."""
        return self.server.authorities

    def api_app(self) -> ASGIApp:
        """The issuer's endpoints."""
        return create_asgi(self.server)

    def mtls_app(self, public_url: str) -> ASGIApp:
        """The endpoints for clients with certificates."""
        return create_mtls_asgi(self.server, public_url)

    async def refused_certificate(self, address: str, reason: str) -> None:
        """Record that the TLS door refused the client certificate of a peer."""
        await certificate_refusals.record(self.server, address, reason)

    async def registered_certificates(self) -> tuple[bytes, ...]:
        """The self-signed certificates that clients have registered: anchors of the TLS door, never of an identity."""
        await self.registry.current()
        return await self.registry.registered_certificates()

    def admin_app(self) -> ASGIApp:
        """The admin API, mounted below ``/admin`` on the management address; FastAPI is imported for it."""

        def build() -> ASGIApp:
            from ostiary.admin.api import create_admin_app

            return create_admin_app(self.server)

        return LateApp(build)

    def request_chores(self) -> list[Chore]:
        """What every process that answers requests does by itself."""
        return [
            Chore("key-use", 30.0, self.server.flush),
            Chore("refusals", SUMMARY_INTERVAL, self.server.summarise_refusals),
        ]

    def house_chores(self) -> list[Chore]:
        """What one process of the installation does for all, while its clock is right."""
        return [Chore(one.name, one.interval, self._by_a_right_clock(one.run)) for one in self._chores()]

    def _by_a_right_clock(self, run: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
        async def guarded() -> None:
            await self.storage.positions()  # raises if the clock is not
            await run()

        return guarded

    def _chores(self) -> list[Chore]:
        return [
            Chore("seal", 0.5, self.sealer.seal_once),
            Chore("signing-keys", 30.0, self.signing_keys.tick),
            Chore("revocation-lists", 1.0, RevocationLists(self.server.authorities).renew),
            Chore("status-lists", 0.5, StatusListPublisher(self.server).publish),
            Chore("expire", 20.0, self.expire),
            Chore("feed-metrics", 5.0, self.measure_feed),
            *(Chore(f"deliveries:{kind}", 2.0, one) for kind, one in self.deliverer().rounds().items()),
            Chore("signals", 1.0, Pusher(self.server, self.fetcher).round),
            *self._upstream_signals(),
            Chore("late-signals", 60.0, LateStreams(self.storage, self.clock).round),
            Chore("acme-validation", 1.0, Validator(self.storage, self.settings.acme, self.clock).round),
            Chore("refresh-windows", 1.0, self.close_refresh_windows),
            Chore("audit-retention", HOUR, self.drop_old_audit),
        ]

    def _upstream_signals(self) -> Iterator[Chore]:
        """Of each provider that tells us events, a chore that has our stream there and fetches from it."""
        for name, upstream in self.settings.upstream.items():
            if (signals := upstream.signals) is not None and (signals.manage or signals.delivery == "poll"):
                stream = UpstreamStream(self.server, Source.of(name, upstream), signals)
                pause = float(signals.poll_every) if signals.delivery == "poll" else 60.0
                yield Chore(f"upstream-signals:{name}", pause, stream.round)

    def deliverer(self) -> Deliverer:
        """What works through the queue of logout tokens and e-mail."""
        handlers: dict[DeliveryKind, Handler] = {
            "backchannel_logout": backchannel_logout.handler(self.server, self.fetcher),
            "email": postman.handler(self.server),
        }
        return Deliverer(self.storage, handlers, self.clock)

    async def expire(self) -> None:
        """Delete what has ended, batch by batch."""
        while await self.storage.expire(int(self.clock())):
            pass

    async def measure_feed(self) -> None:
        """Show how the readers of the revocation feed stand."""
        found = await overall(self.storage, now=self.clock())
        self.metrics.set("revocation_position", found.head, {})
        self.metrics.set("feed_readers", found.readers, {})
        self.metrics.set("feed_rows_behind", found.behind, {"reader": "slowest"})
        self.metrics.set("feed_seen_seconds", found.newest, {"reader": "newest"})
        self.metrics.set("feed_seen_seconds", found.oldest, {"reader": "oldest"})

    async def close_refresh_windows(self) -> None:
        """Erase the sealed successors of refresh tokens whose time for a retry is over."""
        now = int(self.clock())
        async with self.storage.read() as work:
            if not await work.refresh_tokens.has_old_windows(now):
                return
        async with self.storage.write() as work:
            await work.refresh_tokens.close_old_windows(now)

    async def drop_old_audit(self) -> None:
        """Drop the rows of signed segments that are older than ``audit.retention_days``, if that is set; then fold what
        was dropped, by this or by command, into the checkpoint."""
        days, path = self.settings.audit.retention_days, self.settings.audit.heads_file
        if days is not None:
            now = int(self.clock())
            await drop_older(self.storage, before=now - days * DAY, now=now, actor="server")
        await Folding(self.storage, self.signing_keys, HeadsFile(path) if path is not None else None).fold()

    async def record(self, tag: str, target: str) -> None:
        """Write an event of the server itself to the audit log."""
        details = {"version": __version__}
        await self.append(AuditEvent(tag, "done", int(self.clock() * 1000), "server", target, details=details))

    async def append(self, event: AuditEvent) -> None:
        """Write ``event`` to the audit log, in a unit of work of its own."""
        async with self.storage.write() as work:
            await work.audit.append(event)


@asynccontextmanager
async def installation(settings: Settings, *, clock: Clock = time.time) -> AsyncIterator[Installation]:
    """Build and open every part; close them at the end.

    Raises ConfigurationError when the database has no schema or the key-encryption key does not fit.
    """
    metrics = Metrics()
    storage = storage_for(settings.storage.url, clock=clock)
    await storage.open()
    try:
        key_management = FileKeyManagement.from_settings(settings.keys)
        signing_keys = SigningKeys(storage, key_management, settings, clock)
        fetcher = GuardedFetcher(
            allow_networks=settings.fetching.allow_networks, allow_http=settings.fetching.allow_http
        )
        published_keys = PublishedKeys(fetcher, clock)
        seals = Seals(storage, key_management)
        registry = Registry(storage, signing_keys, published_keys, clock)
        authorities = Authorities(storage, key_management, settings, clock, key_token(settings.certificate_authority))
        configured = ConfiguredTrust(read_authorities(settings.mtls.client_ca_files if settings.mtls else ()))
        server = AuthorizationServer(
            settings=settings,
            storage=storage,
            registry=registry,
            signing_keys=signing_keys,
            published_keys=published_keys,
            seals=seals,
            authorities=authorities,
            clock=clock,
            on_event=metrics.count,
            upstreams=UpstreamProviders(fetcher, clock),
            trust_bundles=TrustBundles(settings.spiffe.bundles, fetcher, clock),
            client_trust=WithOwnAuthorities(configured, authorities),
            wake_ups=wake_ups_for(settings, storage),
        )
        await server.wake_ups.open()
        await seals.ready()
        pages.check(settings.pages)
        sealer = Sealer(storage, signing_keys, settings.audit.heads_file, clock)
        yield Installation(
            settings, storage, key_management, signing_keys, registry, server, sealer, fetcher, metrics, clock
        )
        await server.feed.close()
        await server.wake_ups.close()
        server.passwords.close()
    finally:
        await storage.close()
