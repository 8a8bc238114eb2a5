"""The TLS of one serving process: its listeners, the watch over their files, its metrics and what it tells."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol
from urllib.parse import urlsplit

from ostiary.model.event import AuditEvent
from ostiary.serving.housekeeping import Chore, do_once
from ostiary.serving.metrics import Metrics
from ostiary.serving.tls.certificate import ServerCertificate
from ostiary.serving.tls.client_trust import ClientTrust, Registered, kept_out, read_authorities
from ostiary.serving.tls.door import Door
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

    async def append(self, event: AuditEvent) -> None:
        """Write to the audit log. May raise Unavailable."""

    async def refused_certificate(self, address: str, reason: str) -> None:
        """Record that a client certificate was refused. May raise Unavailable."""

    async def registered_certificates(self) -> Registered:
        """The self-signed certificates that clients have registered."""


def main_files(settings: Settings) -> CertificateFiles | None:
    """The files of the issuer's own address, None if a proxy ends TLS."""
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
    main, mtls = main_files(settings), mtls_files(settings)
    if main is not None:
        found += _warnings(main, main.read(now), urlsplit(settings.issuer).hostname or "", now)
    if settings.mtls is not None and mtls is not None:
        found += _warnings(mtls, mtls.read(now), urlsplit(settings.mtls.public_url).hostname or "", now)
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
    watches: list[CertificateWatch]
    surroundings: Surroundings
    handshake_timeout: float
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def chores(self) -> list[Chore]:
        """What is to be done every few seconds."""
        return [Chore("tls", INTERVAL, self._look)] if self.watches else []

    def hangup(self) -> None:
        """Read the files again now, beside what is going on: for SIGHUP."""
        self._beside(self._reload)

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


def own_tls(settings: Settings, surroundings: Surroundings) -> OwnTls:
    """The TLS that the settings name. Raises ConfigurationError."""
    by_files: dict[CertificateFiles, list[ListenerTls]] = {}
    main_at, mtls_at = main_files(settings), mtls_files(settings)
    main = mtls = None
    now = surroundings.clock()
    if main_at is not None:
        main = ListenerTls(MAIN, main_at.read(now))
        by_files.setdefault(main_at, []).append(main)
    if mtls_at is not None and settings.mtls is not None:
        authorities = read_authorities(settings.mtls.client_ca_files)
        trust = ClientTrust(authorities, surroundings.registered_certificates)
        mtls = ListenerTls(MTLS, mtls_at.read(now), trust)
        by_files.setdefault(mtls_at, []).append(mtls)
    watches = [
        CertificateWatch(files, listeners, surroundings.append, surroundings.clock)
        for files, listeners in by_files.items()
    ]
    return OwnTls(main, mtls, watches, surroundings, settings.server.tls_handshake_timeout)


def reason_of(error: Exception) -> str:
    """Why a handshake failed, in OpenSSL's words: ``"certificate has expired"``, ``"unsupported protocol"``."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return (error.reason or "unknown").lower().replace("_", " ")
    return "too slow"
