"""The server's own certificate from its own CA: its key is made here, stays in this process and ends with it.

Each process gets one of its own when it starts and the next at two thirds of its life; so nothing is stored, nothing is
copied to other machines, and a restart is a renewal.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ostiary.audit import tags
from ostiary.certificate_authority import form, identities, issuing
from ostiary.certificate_authority.authorities import Authorities
from ostiary.certificate_authority.issuing import Wanted
from ostiary.certificate_authority.profiles import PROFILES
from ostiary.errors import ConfigurationError, OstiaryError, VerificationError
from ostiary.model.event import AuditEvent
from ostiary.revocation.act import Act
from ostiary.serving.tls.certificate import ServerCertificate, checked_certificate
from ostiary.serving.tls.listener import ListenerTls
from ostiary.serving.tls.watch import Record

OWNER: Final = "ostiary serve"
_FIRST_PAUSE: Final = 10.0  # seconds after a failure; doubled with each further one
_LONGEST_PAUSE: Final = 600.0

_log = logging.getLogger(__name__)


class OwnCa(Protocol):
    """What a certificate of our own is asked of."""

    @property
    def authorities(self) -> Authorities:
        """The installation's CA."""


async def own_certificate(authorities: Authorities, hosts: Sequence[str], now: float) -> ServerCertificate:
    """A new key and its certificate for these hosts. Raises ConfigurationError, Unavailable."""
    key = ec.generate_private_key(ec.SECP256R1())
    await authorities.refresh()
    try:
        wanted = Wanted(
            profile=PROFILES["server"],
            identities=tuple(dict.fromkeys(identities.parse(host) for host in hosts)),
            public_key=key.public_key(),
            owner=OWNER,
            proof=OWNER,
            common_name=hosts[0],
        )
        prepared = await issuing.prepare(authorities, wanted, now)
        async with authorities.storage.write() as work:
            await issuing.record(work, prepared, Act("server", now))
    except VerificationError as error:
        raise ConfigurationError(
            f"Our own CA gives no certificate for {', '.join(hosts)}: {error.public} ({error.seen}); "
            "make an authority that may certify these names: ostiary ca rotate --permit-dns ..."
        ) from None
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return checked_certificate(prepared.chain_pem(), pem, where="the certificate of our own CA", now=now)


class OwnCaWatch:
    """Renews the certificate of ``listeners`` at two thirds of its life, or when it or its authority was revoked.

    hosts: what it is for. record: for the audit log. clock: seconds since the epoch.
    """

    def __init__(
        self,
        authorities: Authorities,
        hosts: Sequence[str],
        listeners: Sequence[ListenerTls],
        record: Record,
        clock: Callable[[], float],
    ) -> None:
        self._authorities = authorities
        self._hosts = hosts
        self._listeners = listeners
        self._record = record
        self._clock = clock
        self._failures = 0
        self._not_before = 0.0
        self._one_at_a_time = asyncio.Lock()

    async def look(self) -> None:
        """Renew if it is time."""
        async with self._one_at_a_time:
            now = self._clock()
            if now >= self._not_before and await self._is_due(now):
                await self._renew(now)

    async def reload(self) -> None:
        """Renew now."""
        async with self._one_at_a_time:
            await self._renew(self._clock())

    async def _is_due(self, now: float) -> bool:
        certificate = self._listeners[0].certificate
        if certificate.is_due(now):
            return True
        await self._authorities.refresh()
        async with self._authorities.storage.read() as work:
            found = await work.certificates.get(form.serial_text(certificate.leaf.serial_number))
        if found is not None and found.revoked_at is not None:
            return True
        issuer = certificate.chain[1].public_bytes(serialization.Encoding.DER)
        return all(issuer != one.certificate for one in self._authorities.intermediates())

    async def _renew(self, now: float) -> None:
        try:
            certificate = await own_certificate(self._authorities, self._hosts, now)
            for listener in self._listeners:
                listener.take(certificate)
        except (OstiaryError, ssl.SSLError) as error:
            self._failures += 1
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (self._failures - 1))
            self._not_before = now + pause
            _log.error("our own certificate is not renewed, the one in use stays: %s; again in %.0f s", error, pause)
            return
        self._failures = 0
        _log.info("new connections are shown the certificate %s", certificate.thumbprint)
        details = {"listeners": " ".join(listener.name for listener in self._listeners)}
        event = AuditEvent(
            tags.TLS_CERTIFICATE_TAKEN, "done", int(now * 1000), "server", certificate.thumbprint, details=details
        )
        await self._record(event)
