"""The authorities as one process holds them: certificates, what signs, what may be signed; followed as they change."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from ostiary.certificate_authority import subject_keys
from ostiary.certificate_authority.ca_key import CaPrivateKey, ca_private_key
from ostiary.certificate_authority.form import CaUrls
from ostiary.certificate_authority.name_constraints import NameConstraints, of_certificate
from ostiary.errors import ConfigurationError, Unavailable
from ostiary.key_management.base import KeyManagement, KeyToken
from ostiary.model.certificate_authority import Authority
from ostiary.protocol.jwk import parse_public_key
from ostiary.settings import Settings
from ostiary.storage.base import Positions, Storage

_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OpenAuthority:
    """An authority whose private key is here, in whatever state.

    key: signs; constraints: what it may certify; token: where its key is.
    """

    record: Authority
    certificate: x509.Certificate
    key: CaPrivateKey = field(repr=False)
    constraints: NameConstraints
    token: KeyToken | None = field(default=None, repr=False)

    async def signing(self, work: Callable[[], T]) -> T:
        """What ``work`` returns, which signs by ``key``: here, or off the event loop if the key is in a token.

        Raises Unavailable: the token does not answer; and what ``work`` raises.
        """
        return work() if self.token is None else await self.token.run(work)


@dataclass(frozen=True, slots=True)
class _View:
    """What stood in the database at one position."""

    position: int = -1
    records: tuple[Authority, ...] = ()
    open: dict[str, OpenAuthority] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)


class Authorities:
    """The authorities of one process; other processes change them too, so ``refresh`` is called before each use.

    token: where keys are that do not stand wrapped in the database, None if none is configured.
    """

    def __init__(
        self,
        storage: Storage,
        key_management: KeyManagement,
        settings: Settings,
        clock: Callable[[], float],
        token: KeyToken | None = None,
    ) -> None:
        self.storage = storage
        self.settings = settings
        self.clock = clock
        self.token = token
        self._key_management = key_management
        self._view = _View()

    async def refresh(self, positions: Positions | None = None) -> None:
        """Take in what was committed, if the registry has moved. Raises Unavailable."""
        if positions is None:
            positions = await self.storage.positions()
        if positions.registry == self._view.position:
            return
        async with self.storage.read() as work:
            position = (await work.positions()).registry
            records = tuple(await work.authorities.list())
        opened: dict[str, OpenAuthority] = {}
        faults: dict[str, str] = {}
        for record in records:
            if record.key_store == "offline":
                continue
            try:
                opened[record.authority_id] = self._opened(record)
            except ConfigurationError as error:
                faults[record.authority_id] = str(error)
                _log.error("the key of the authority %s cannot be used: %s", record.authority_id, error)
        self._view = _View(position, records, opened, faults)

    @property
    def position(self) -> int:
        """The position of the registry at which they were read."""
        return self._view.position

    def records(self) -> tuple[Authority, ...]:
        """Every authority, the one made first first."""
        return self._view.records

    def record(self, authority_id: str) -> Authority | None:
        """The authority of this id."""
        return next((one for one in self._view.records if one.authority_id == authority_id), None)

    def exist(self) -> bool:
        """Whether this installation has a CA at all."""
        return bool(self._view.records)

    def issuing(self) -> OpenAuthority:
        """The authority that issues now: the active one made last. Raises Unavailable, ConfigurationError (no CA)."""
        now = self.clock()
        active = [one for one in self._view.records if (one.kind, one.state) == ("issuing", "active")]
        for record in sorted(active, key=lambda one: one.created_at, reverse=True):
            found = self._view.open.get(record.authority_id)
            if found is not None and record.not_before <= now < record.not_after:
                return found
        if not active:
            if self.exist():
                raise ConfigurationError("No authority issues now: make the next one by `ostiary ca rotate`.")
            raise ConfigurationError("There is no certificate authority here: make one by `ostiary ca init`.")
        detail = "; ".join(self._view.faults.values()) or "no issuing authority is within its life"
        raise Unavailable("certificate authority", detail, retry_after=30)

    def open(self, authority_id: str) -> OpenAuthority | None:
        """The authority of this id, if its key is here; what it may sign still, its state says."""
        return self._view.open.get(authority_id)

    def opened(self) -> list[OpenAuthority]:
        """Every authority whose key is here, so that it answers for what it issued: retired and revoked ones too."""
        return list(self._view.open.values())

    def roots(self) -> list[Authority]:
        """What to trust: the roots that were not revoked."""
        return [one for one in self._view.records if one.kind == "root" and one.state != "revoked"]

    def intermediates(self) -> list[Authority]:
        """The issuing authorities that were not revoked, active and retired."""
        return [one for one in self._view.records if one.kind == "issuing" and one.state != "revoked"]

    def urls(self, authority_id: str) -> CaUrls:
        """Where others reach what this authority tells."""
        return urls_of(self.settings, authority_id)

    def _opened(self, record: Authority) -> OpenAuthority:
        known = self._view.open.get(record.authority_id)
        # The key is opened once; the state is always the present one.
        return self._open(record) if known is None else replace(known, record=record)

    def _open(self, record: Authority) -> OpenAuthority:
        certificate = x509.load_der_x509_certificate(record.certificate)
        public = subject_keys.checked(certificate.public_key())
        token = self._token_of(record)
        if token is not None:
            signer = token.signer(kid_of(record), record.alg, record.wrapped_private_key)
        else:
            signer = self._key_management.signer(kid_of(record), "ca", record.alg, record.wrapped_private_key)
        return OpenAuthority(record, certificate, ca_private_key(signer, public), of_certificate(certificate), token)

    def _token_of(self, record: Authority) -> KeyToken | None:
        if record.key_store != "pkcs11":
            return None
        if self.token is None:
            raise ConfigurationError(
                f"The key of {record.authority_id} is in a token: name that in certificate_authority.pkcs11."
            )
        return self.token


def urls_of(settings: Settings, authority_id: str) -> CaUrls:
    """The URLs of an authority: made of the settings, never of a request."""
    base = settings.certificate_authority.public_url or settings.issuer.rstrip("/")
    return CaUrls(f"{base}/ca/crl/{authority_id}.crl", f"{base}/ca/ocsp", f"{base}/ca/certificates/{authority_id}.cer")


def kid_of(record: Authority) -> str:
    """The name of an authority's key in key management: its RFC 7638 thumbprint."""
    public = x509.load_der_x509_certificate(record.certificate).public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return parse_public_key(pem, alg=record.alg).thumbprint
