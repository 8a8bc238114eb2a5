"""Carries the life of signing keys into the database: each step one unit of work, safe beside other processes.

A new pair is generated before the unit of work, because nothing may be awaited in it; inside, the keys are read again
and the step is computed anew, so that of several processes one does it and the others find it done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, TypeVar

from ostiary.audit import tags
from ostiary.authorization_server.seals import SEALING_KEY, from_text, to_text
from ostiary.authorization_server.signing_key_ring import LEEWAY, KeyRing, Kind, Rotation, Schedule
from ostiary.authorization_server.wanted_algorithms import WantedAlgorithms
from ostiary.certificate_authority.authorities import kid_of
from ostiary.errors import ConfigurationError, Unavailable
from ostiary.key_management.base import GeneratedKey, KeyManagement
from ostiary.key_management.key_encryption_key import KeyEncryptionKey
from ostiary.model.event import AuditEvent
from ostiary.model.revocation import Revocation
from ostiary.model.signing_key import InstallationKey, SigningKeyUse
from ostiary.settings.sections import Settings
from ostiary.storage.base import Storage, UnitOfWork

WRAPPED_BY = "key_encryption_key"
ROTATE_AT = "rotate_signing_key:"
SVID_ALGORITHMS: Final = ("ES256",)
_TRIES = 5

Result = TypeVar("Result")
Spares = dict[Kind, list[GeneratedKey]]


class SigningKeyLife:
    """First keys, schedule, rotation, withdrawal, rewrapping. Raises ConfigurationError and Unavailable."""

    def __init__(
        self, storage: Storage, key_management: KeyManagement, settings: Settings, clock: Callable[[], float]
    ) -> None:
        self._storage = storage
        self._key_management = key_management
        self._clock = clock
        self._wanted = WantedAlgorithms(storage, settings.keys.algorithms)
        self._schedule = Schedule(
            rotate_after=settings.keys.rotate_after,
            publish_before=settings.keys.publish_before,
            jwks_max_age=settings.keys.jwks_max_age,
            keep=max(settings.tokens.max_life, settings.spiffe.jwt_svid_max_life) + LEEWAY,
        )
        self._svids = SVID_ALGORITHMS if settings.certificate_authority.trust_domain is not None else ()

    async def ensure(self, algorithms: Iterable[str], actor: str) -> None:
        """One active and one next key for each of ``algorithms``, of the settings, the APIs and the applications."""
        wanted = await self._wanted.all(algorithms)
        await self._step(lambda ring: ring.complete(wanted), actor)

    async def tick(self, actor: str) -> None:
        """What the schedule demands now."""
        wanted = await self._wanted.all()
        await self._step(lambda ring: ring.keep_schedule(wanted), actor)

    async def rotate(self, use: SigningKeyUse, alg: str | None, actor: str) -> list[Rotation]:
        """Rotate one algorithm or all."""
        return await self._step(
            lambda ring: [ring.rotate(use, key.alg) for key in _chosen(ring.active_keys(use), alg)], actor
        )

    async def withdraw(self, use: SigningKeyUse, alg: str | None, kid: str | None, actor: str) -> list[Rotation]:
        """Withdraw the key ``kid``, or the active keys of one algorithm or all."""

        def step(ring: KeyRing) -> list[Rotation]:
            keys = _chosen(ring.active_keys(use), alg) if kid is None else [_withdrawable(ring, kid)]
            return [ring.withdraw(key) for key in keys]

        return await self._step(step, actor)

    async def rewrap(self, new: KeyEncryptionKey, actor: str) -> int:
        """Wrap every private key and the sealing key by ``new``, all or none; how many private keys."""
        async with self._storage.write() as work:
            await work.positions(changing=True)
            keys = [key for key in await work.signing_keys.list() if key.wrapped_private_key]
            for key in keys:
                wrapped = self._key_management.rewrap(key.kid, key.use, key.alg, key.wrapped_private_key, new=new)
                await work.signing_keys.replace(replace(key, wrapped_private_key=wrapped))
                await work.audit.append(self._event(tags.SIGNING_KEY_REWRAPPED, key, actor))
            authorities = await self._rewrap_authorities(work, new)
            sealing = await work.setting(SEALING_KEY)
            if sealing:
                wrapped = self._key_management.rewrap_secret(SEALING_KEY, from_text(sealing), new=new)
                await work.set_setting(SEALING_KEY, to_text(wrapped))
            await work.set_setting(WRAPPED_BY, new.name)
        return len(keys) + authorities

    async def _rewrap_authorities(self, work: UnitOfWork, new: KeyEncryptionKey) -> int:
        wrapped = [one for one in await work.authorities.list() if one.key_store == "file" and one.wrapped_private_key]
        for one in wrapped:
            again = self._key_management.rewrap(kid_of(one), "ca", one.alg, one.wrapped_private_key, new=new)
            await work.authorities.replace(replace(one, wrapped_private_key=again))
        return len(wrapped)

    async def _step(self, step: Callable[[KeyRing], Result], actor: str) -> Result:
        spares: Spares = {}
        for _ in range(_TRIES):
            async with self._storage.read() as work:
                ring, result = await self._try(work, step, spares)
            if ring.lacking:
                await self._generate(ring.lacking, spares)
                continue
            if ring.is_unchanged():
                return result
            async with self._storage.write() as work:
                # The position is read first: on every database that makes this the only writer of the registry.
                await work.positions(changing=True)
                ring, result = await self._try(work, step, spares)
                if not ring.lacking:
                    await self._write(work, ring, actor)
                    return result
        raise Unavailable("signing keys", "other processes changed the keys at the same time")

    async def _try(self, work: UnitOfWork, step: Callable[[KeyRing], Result], spares: Spares) -> tuple[KeyRing, Result]:
        keys = await work.signing_keys.list()
        asked = {}
        for kind in sorted({(key.use, key.alg) for key in keys if key.state == "active"}):
            if at := await work.setting(_rotate_at(kind)):
                asked[kind] = int(at)
        ring = KeyRing(
            keys, self._schedule, self._clock(), spares=spares, asked=asked, opens=self._signer, svids=self._svids
        )
        return ring, step(ring)

    async def _generate(self, lacking: Iterable[Kind], spares: Spares) -> None:
        for use, alg in lacking:
            pair = await self._key_management.generate(alg, use=use)
            spares.setdefault((use, alg), []).append(pair)

    async def _write(self, work: UnitOfWork, ring: KeyRing, actor: str) -> None:
        if ring.added:
            await self._check_wrapping(work)
        for key in ring.changed.values():
            await work.signing_keys.replace(key)
        for key in ring.added.values():
            await work.signing_keys.add(key)
        for kind in {(key.use, key.alg) for key in (*ring.changed.values(), *ring.added.values())} | ring.asked.keys():
            at = str(ring.asked.get(kind, ""))
            if at != (await work.setting(_rotate_at(kind)) or ""):
                await work.set_setting(_rotate_at(kind), at)
        for tag, key in ring.events:
            await work.audit.append(self._event(tag, key, actor))
            if tag == tags.SIGNING_KEY_WITHDRAWN and key.use == "token":
                await work.revocations.append(self._revocation(key))

    async def _check_wrapping(self, work: UnitOfWork) -> None:
        # All wrapped keys stand under one key-encryption key, else a later start would open only some of them.
        present, own = await work.setting(WRAPPED_BY), self._key_management.wrapping_key_id()
        if not present:
            await work.set_setting(WRAPPED_BY, own)
        elif present != own:
            raise ConfigurationError(
                f"The signing keys are wrapped by the key-encryption key {present}, and this process has {own}: "
                "name the right one in keys.key_encryption_key_file or OSTIARY_KEYS__KEY_ENCRYPTION_KEY and restart."
            )

    def _signer(self, key: InstallationKey) -> object:
        return self._key_management.signer(key.kid, key.use, key.alg, key.wrapped_private_key)

    def _event(self, tag: str, key: InstallationKey, actor: str) -> AuditEvent:
        details = {"alg": key.alg, "use": key.use}
        return AuditEvent(tag, "done", int(self._clock() * 1000), actor=actor, target=key.kid, details=details)

    def _revocation(self, key: InstallationKey) -> Revocation:
        now = int(self._clock())
        expires_at = key.remove_after or now + self._schedule.keep
        return Revocation("signing_key", key.kid, now, expires_at, reason="signing key compromised")


def _rotate_at(kind: Kind) -> str:
    """The setting that remembers when a scheduled rotation is due."""
    use, alg = kind
    return ROTATE_AT + (alg if use == "token" else f"{use}:{alg}")


def _chosen(active: list[InstallationKey], alg: str | None) -> list[InstallationKey]:
    chosen = [key for key in active if alg in (None, key.alg)]
    if not chosen:
        known = ", ".join(key.alg for key in active) or "none"
        raise ConfigurationError(f"There is no active signing key for {alg or 'any algorithm'}; there are: {known}.")
    return chosen


def _withdrawable(ring: KeyRing, kid: str) -> InstallationKey:
    key = ring.find(kid)
    if key is None or key.state in ("withdrawn", "removed"):
        raise ConfigurationError(f"There is no signing key {kid} to withdraw: see `ostiary keys list`.")
    return key
