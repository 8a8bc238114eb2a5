"""The TLS of one serving process: its listeners, the watch over their files, its metrics and what it tells."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol
from urllib.parse import urlsplit

from cryptography import x509

from ostiary.certificate_authority.authorities import Authorities
from ostiary.model.event import AuditEvent
from ostiary.serving.housekeeping import Chore, do_once
from ostiary.serving.metrics import Metrics
from ostiary.serving.tls.certificate import ServerCertificate
from ostiary.serving.tls.client_trust import ClientTrust, kept_out, read_authorities
from ostiary.serving.tls.door import Door
from ostiary.serving.tls.from_own_ca import OwnCaWatch, own_certificate
from ostiary.serving.tls.listener import ListenerTls
from ostiary.serving.tls.watch import INTERVAL, CertificateFiles, CertificateWatch
from ostiary.settings import Settings

MAIN = "main"
MTLS = "mtls"


class Surroundings(Protocol):
    """What TLS asks of the installation that it belongs to."""

    @property
    def metrics(self) -> Metrics:
        """Where numbers are shown and events counted."""

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds since the epoch."""

    @property
    def authorities(self) -> Authorities:
        """Of our own CA."""

    async def append(self, event: AuditEvent) -> None:
        """Write to the audit log. May raise Unavailable."""

    async def refused_certificate(self, address: str, reason: str) -> None:
        """Record that a client certificate was refused. May raise Unavailable."""

    async def registered_certificates(self) -> tuple[bytes, ...]:
        """The self-signed certificates that clients have registered."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """What a certificate of our own CA is for."""

    names: tuple[str, ...]


class Watch(Protocol):
    """Sees to it that listeners show a certificate that is good."""

    async def look(self) -> None:
        """Do what is due; called every few seconds."""

    async def reload(self) -> None:
        """Take what is new, now."""


def main_source(settings: Settings) -> CertificateFiles | Hosts | None:
    """Where the certificate of the issuer's own address comes from, None if a proxy ends TLS."""
    if settings.server.tls_from_own_ca:
        return Hosts((_host(settings.issuer),))
    return main_files(settings)


def mtls_source(settings: Settings) -> CertificateFiles | Hosts | None:
    """The same of the address for clients with certificates, None if there is no such address."""
    if settings.mtls is None:
        return None
    shares = settings.mtls.tls_certificate_file is None and settings.server.tls_from_own_ca
    if settings.mtls.tls_from_own_ca or shares:
        return Hosts((_host(settings.mtls.public_url),))
    return mtls_files(settings)


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def main_files(settings: Settings) -> CertificateFiles | None:
    """The files of the issuer's own address, None if they are not how it gets its certificate."""
    certificate, key = settings.server.tls_certificate_file, settings.server.tls_private_key_file
    return None if certificate is None or key is None else CertificateFiles(certificate, key)


def mtls_files(settings: Settings) -> CertificateFiles | None:
    """The files of the address for clients with certificates, None if there is no such address."""
    if settings.mtls is None:
        return None
    certificate, key = settings.mtls.tls_certificate_file, settings.mtls.tls_private_key_file
    return main_files(settings) if certificate is None or key is None else CertificateFiles(certificate, key)


def check(settings: Settings, now: float) -> list[str]:
    """Read what is to be served and give what is worth a warning: one sentence each. Raises ConfigurationError."""
    found: list[str] = []
    main, mtls = main_source(settings), mtls_source(settings)
    if isinstance(main, CertificateFiles):
        found += _warnings(main, main.read(now), _host(settings.issuer), now)
    if settings.mtls is not None and isinstance(mtls, CertificateFiles):
        found += _warnings(mtls, mtls.read(now), _host(settings.mtls.public_url), now)
    if settings.mtls is not None:
        found += [
            f"Clients below {one.subject.rfc4514_string()} must send its certificate with their own: an authority "
            "above it has constraints that it does not repeat, so it cannot be trusted by itself."
            for one in kept_out(read_authorities(settings.mtls.client_ca_files))
        ]
    return list(dict.fromkeys(found))


def _warnings(files: CertificateFiles, certificate: ServerCertificate, host: str, now: float) -> list[str]:
    found = []
    if not certificate.covers(host):
        found.append(f"The certificate {files.certificate} is not for {host}, so clients will refuse it: get another.")
    if certificate.stands_alone:
        found.append(
            f"{files.certificate} holds the server's own certificate alone: unless a root issued it directly, add the "
            "certificates of its issuers, else many clients cannot verify it."
        )
    if certificate.is_due(now):
        found.append(
            f"The certificate {files.certificate} expires on {certificate.leaf.not_valid_after_utc:%Y-%m-%d}: renew it."
        )
    return found


@dataclass(slots=True)
class OwnTls:
    """main: of the issuer's own address. mtls: of the one for clients with certificates. watches: over their files."""

    main: ListenerTls | None
    mtls: ListenerTls | None
    watches: list[Watch]
    surroundings: Surroundings
    handshake_timeout: float
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _asked: int = 0

    def chores(self) -> list[Chore]:
        """What is to be done every few seconds."""
        return [Chore("tls", INTERVAL, self._look)] if self.watches else []

    def hangup(self) -> None:
        """Read the files again now, beside what is going on: for SIGHUP.

        However many signals come meanwhile, one further time answers them: each makes a certificate where our own CA is
        asked for it.
        """
        if self._asked == 0:
            self._beside(self._reload_as_asked)
        self._asked = min(self._asked + 1, 2)

    async def _reload_as_asked(self) -> None:
        while self._asked:
            await do_once(Chore("tls", INTERVAL, self._reload))
            self._asked -= 1

    def door(self, listener: ListenerTls | None) -> Door | None:
        """How connections come in over the TLS of ``listener``; None without TLS."""
        if listener is None:
            return None
        name = listener.name

        def refused(address: str, error: Exception) -> None:
            reason = reason_of(error)
            self.surroundings.metrics.count("tls_handshake_refused", {"listener": name, "reason": reason})
            if isinstance(error, ssl.SSLCertVerificationError):
                self._beside(partial(self.surroundings.refused_certificate, address, reason))

        return Door(listener, self.handshake_timeout, refused)

    def _beside(self, run: Callable[[], Awaitable[object]]) -> None:
        task = asyncio.get_running_loop().create_task(do_once(Chore("tls", INTERVAL, run)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look(self) -> None:
        for watch in self.watches:
            await watch.look()
        self._show()

    async def _reload(self) -> None:
        for watch in self.watches:
            await watch.reload()
        self._show()

    def _show(self) -> None:
        for listener in (self.main, self.mtls):
            if listener is not None:
                labels = {"listener": listener.name}
                self.surroundings.metrics.set("tls_certificate_expires_at", listener.certificate.expires_at, labels)


async def own_tls(settings: Settings, surroundings: Surroundings, *, serves: bool = True) -> OwnTls:
    """The TLS that the settings name; none for a process without requests. Raises ConfigurationError, Unavailable."""
    sources: dict[CertificateFiles | Hosts, list[ListenerTls]] = {}
    main_at, mtls_at = (main_source(settings), mtls_source(settings)) if serves else (None, None)
    main = mtls = None
    certificates = {one: await _certificate(one, surroundings) for one in {main_at, mtls_at} if one is not None}
    if main_at is not None:
        main = ListenerTls(MAIN, certificates[main_at])
        sources.setdefault(main_at, []).append(main)
    if mtls_at is not None and settings.mtls is not None:
        trust = ClientTrust(await _client_authorities(settings, surroundings), surroundings.registered_certificates)
        mtls = ListenerTls(MTLS, certificates[mtls_at], trust)
        sources.setdefault(mtls_at, []).append(mtls)
    watches = [_watch(source, listeners, surroundings) for source, listeners in sources.items()]
    return OwnTls(main, mtls, watches, surroundings, settings.server.tls_handshake_timeout)


async def _certificate(source: CertificateFiles | Hosts, surroundings: Surroundings) -> ServerCertificate:
    now = surroundings.clock()
    if isinstance(source, CertificateFiles):
        return source.read(now)
    return await own_certificate(surroundings.authorities, source.names, now)


def _watch(source: CertificateFiles | Hosts, listeners: Sequence[ListenerTls], surroundings: Surroundings) -> Watch:
    if isinstance(source, CertificateFiles):
        return CertificateWatch(source, listeners, surroundings.append, surroundings.clock)
    return OwnCaWatch(surroundings.authorities, source.names, listeners, surroundings.append, surroundings.clock)


async def _client_authorities(settings: Settings, surroundings: Surroundings) -> list[x509.Certificate]:
    """Those of the settings, and the root of our own CA; its clients send what stands between."""
    files = settings.mtls.client_ca_files if settings.mtls is not None else ()
    await surroundings.authorities.refresh()
    own = [x509.load_der_x509_certificate(root.certificate) for root in surroundings.authorities.roots()]
    found = list(read_authorities(files))
    return [*found, *(root for root in own if root not in found)]


def reason_of(error: Exception) -> str:
    """Why a handshake failed, in OpenSSL's words: ``"certificate has expired"``, ``"unsupported protocol"``."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return (error.reason or "unknown").lower().replace("_", " ")
    return "too slow"
