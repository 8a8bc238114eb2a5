"""Certificate files that are watched: a good new pair is taken for new handshakes, a bad one is refused and told."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ostiary.audit import tags
from ostiary.errors import ConfigurationError
from ostiary.model.event import AuditEvent, Outcome
from ostiary.secret_files import read_secret_file
from ostiary.serving.tls.certificate import ServerCertificate, checked_certificate
from ostiary.serving.tls.listener import ListenerTls

INTERVAL: Final = 2.0
"""Seconds between two looks at the files."""
_REMIND_AFTER: Final = 86_400.0
_MAX_BYTES: Final = 262_144

_log = logging.getLogger(__name__)

Record = Callable[[AuditEvent], Awaitable[None]]
"""Writes an event to the audit log. May raise Unavailable."""


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Where a certificate with its chain, and its private key, stand in PEM form."""

    certificate: Path
    key: Path

    def read(self, now: float) -> ServerCertificate:
        """What stands in both, checked. Raises ConfigurationError."""
        try:
            with self.certificate.open("rb") as file:
                chain = file.read(_MAX_BYTES)
        except OSError as error:
            raise ConfigurationError(f"The certificate {self.certificate} cannot be read: {error.strerror}.") from None
        return checked_certificate(chain, read_secret_file(self.key), where=str(self.certificate), now=now)

    def stamp(self) -> tuple[object, ...]:
        """Something that is another when a file was written or replaced."""
        return tuple(_stamp(path) for path in (self.certificate, self.key))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class CertificateWatch:
    """Looks at ``files`` and tells the listeners that use them.

    record: for the audit log. clock: seconds since the epoch.
    """

    def __init__(
        self, files: CertificateFiles, listeners: Sequence[ListenerTls], record: Record, clock: Callable[[], float]
    ) -> None:
        self._files = files
        self._listeners = listeners
        self._record = record
        self._clock = clock
        self._acted_on = self._seen = files.stamp()
        self._reminded = 0.0
        self._one_at_a_time = asyncio.Lock()

    async def look(self) -> None:
        """Take what is new, once it has stood still for one look: the files of a pair are replaced one by one."""
        async with self._one_at_a_time:
            stamp, before = self._files.stamp(), self._seen
            self._seen = stamp
            if stamp == before and stamp != self._acted_on:
                await self._reload()
            self._remind()

    async def reload(self) -> None:
        """Take what stands in the files now, and say so if it is not good."""
        async with self._one_at_a_time:
            await self._reload()

    async def _reload(self) -> None:
        self._acted_on = self._seen = self._files.stamp()
        try:
            await self._take(self._files.read(self._clock()))
        except (ConfigurationError, ssl.SSLError) as error:
            _log.error("not taken, the certificate in use stays: %s", error)
            await self._record(
                self._event(tags.TLS_CERTIFICATE_REFUSED, "refused", str(self._files.certificate), error)
            )

    async def _take(self, certificate: ServerCertificate) -> None:
        if certificate.pem() == self._listeners[0].certificate.pem():
            return  # touched, not changed
        for listener in self._listeners:
            listener.take(certificate)
        self._reminded = 0.0
        _log.info("new connections are shown the certificate %s", certificate.thumbprint)
        await self._record(self._event(tags.TLS_CERTIFICATE_TAKEN, "done", certificate.thumbprint))

    def _event(self, tag: str, outcome: Outcome, target: str, error: Exception | None = None) -> AuditEvent:
        details = {"listeners": " ".join(listener.name for listener in self._listeners)}
        reason = "" if error is None else "tls_certificate"
        if error is not None:
            details["problem"] = str(error)
        return AuditEvent(tag, outcome, int(self._clock() * 1000), "server", target, reason=reason, details=details)

    def _remind(self) -> None:
        certificate, now = self._listeners[0].certificate, self._clock()
        if certificate.is_due(now) and now - self._reminded >= _REMIND_AFTER:
            self._reminded = now
            _log.warning(
                "%s expires on %s: renew it and replace the file; it is taken without a restart",
                self._files.certificate, certificate.leaf.not_valid_after_utc.isoformat(),
            )  # fmt: skip
