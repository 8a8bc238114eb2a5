"""The TLS of one serving process: its listeners, the watch over their files, its metrics and what it tells."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from ostiary.serving.housekeeping import Chore, do_once
from ostiary.serving.tls.certificate import ServerCertificate
from ostiary.serving.tls.door import Door
from ostiary.serving.tls.listener import ListenerTls
from ostiary.serving.tls.watch import INTERVAL, CertificateFiles, CertificateWatch, Record
from ostiary.settings import Settings

MAIN = "main"


class Gauges(Protocol):
    """Where numbers are shown and events counted."""

    def count(self, name: str, labels: Mapping[str, str]) -> None: ...

    def set(self, name: str, value: float, labels: Mapping[str, str]) -> None: ...


def main_files(settings: Settings) -> CertificateFiles | None:
    """The files of the issuer's own address, None if a proxy ends TLS."""
    certificate, key = settings.server.tls_certificate_file, settings.server.tls_private_key_file
    return None if certificate is None or key is None else CertificateFiles(certificate, key)


def check(settings: Settings, now: float) -> list[str]:
    """Read what is to be served and give what is worth a warning: one sentence each. Raises ConfigurationError."""
    files = main_files(settings)
    if files is None:
        return []
    return list(_warnings(files, files.read(now), urlsplit(settings.issuer).hostname or "", now))


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
    """main: of the issuer's own address. watches: over the files of all listeners."""

    main: ListenerTls | None
    watches: list[CertificateWatch]
    gauges: Gauges
    handshake_timeout: float
    _reloading: set[asyncio.Task[None]] = field(default_factory=set)

    def chores(self) -> list[Chore]:
        """What is to be done every few seconds."""
        return [Chore("tls", INTERVAL, self._look)] if self.watches else []

    def hangup(self) -> None:
        """Read the files again now, beside what is going on: for SIGHUP."""
        task = asyncio.get_running_loop().create_task(do_once(Chore("tls", INTERVAL, self._reload)))
        self._reloading.add(task)
        task.add_done_callback(self._reloading.discard)

    def door(self, listener: ListenerTls | None) -> Door | None:
        """How connections come in over the TLS of ``listener``; None without TLS."""
        if listener is None:
            return None
        name = listener.name

        def refused(address: str, error: Exception) -> None:
            self.gauges.count("tls_handshake_refused", {"listener": name, "reason": reason_of(error)})

        return Door(listener, self.handshake_timeout, refused)

    async def _look(self) -> None:
        for watch in self.watches:
            await watch.look()
        self._show()

    async def _reload(self) -> None:
        for watch in self.watches:
            await watch.reload()
        self._show()

    def _show(self) -> None:
        for listener in (self.main,):
            if listener is not None:
                labels = {"listener": listener.name}
                self.gauges.set("tls_certificate_expires_at", listener.certificate.expires_at, labels)


def own_tls(settings: Settings, record: Record, gauges: Gauges, clock: Callable[[], float] = time.time) -> OwnTls:
    """The TLS that the settings name. Raises ConfigurationError."""
    files = main_files(settings)
    if files is None:
        return OwnTls(None, [], gauges, settings.server.tls_handshake_timeout)
    main = ListenerTls(MAIN, files.read(clock()))
    watch = CertificateWatch(files, [main], record, clock)
    return OwnTls(main, [watch], gauges, settings.server.tls_handshake_timeout)


def reason_of(error: Exception) -> str:
    """Why a handshake failed, in OpenSSL's words: ``"certificate has expired"``, ``"unsupported protocol"``."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return (error.reason or "unknown").lower().replace("_", " ")
    return "too slow"
