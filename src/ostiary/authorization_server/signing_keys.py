"""The installation's signing keys as one process holds them: signers in memory, verification keys, the JWKS.

``rotate`` switches to the next key at once, because there always is one that has been published for a while; only if
the next was published less than ``jwks_max_age`` ago the switch is scheduled, and the answer says for when.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ostiary.authorization_server.signing_key_life import SigningKeyLife
from ostiary.authorization_server.signing_key_ring import AUDIT_ALG, Kind, Rotation
from ostiary.errors import ConfigurationError, Unavailable
from ostiary.key_management.base import KeyManagement, Signer
from ostiary.key_management.key_encryption_key import KeyEncryptionKey
from ostiary.model.signing_key import InstallationKey, SigningKeyUse
from ostiary.protocol import base64url
from ostiary.protocol.jwk import VerificationKey, parse_public_key
from ostiary.settings.sections import Settings
from ostiary.storage.base import Positions, Storage

__all__ = ["AUDIT_ALG", "Rotation", "SigningKeys"]

_VERIFYING = frozenset({"published", "active", "retired"})
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _View:
    """What stood in the database at one position."""

    position: int = -1
    signers: dict[Kind, Signer] = field(default_factory=dict)
    faults: dict[Kind, str] = field(default_factory=dict)
    verification_keys: dict[tuple[SigningKeyUse, str], VerificationKey] = field(default_factory=dict)
    jwks: bytes = b'{"keys":[]}'
    etag: str = ""


class SigningKeys:
    """The keys of one process; other processes change them too, so ``refresh`` is called before each decision."""

    def __init__(
        self, storage: Storage, key_management: KeyManagement, settings: Settings, clock: Callable[[], float]
    ) -> None:
        self._storage = storage
        self._key_management = key_management
        self._life = SigningKeyLife(storage, key_management, settings, clock)
        self._view = _View()

    async def refresh(self, positions: Positions) -> None:
        """Take in what was committed, if the registry has moved. Raises Unavailable."""
        if positions.registry != self._view.position:
            await self._load()

    def current(self, alg: str, use: SigningKeyUse = "token") -> Signer:
        """What signs for this algorithm and use now. Raises Unavailable if nothing does."""
        signer = self._view.signers.get((use, alg))
        if signer is None:
            fault = self._view.faults.get((use, alg), f"there is no active {use} key for {alg}")
            raise Unavailable("signing keys", fault, retry_after=5)
        return signer

    def verification_key(self, kid: str, use: SigningKeyUse = "token") -> VerificationKey | None:
        """The public key of a signing key that is published, active or retired; None if withdrawn, removed, unknown.

        RFC 8725bis 3.12: the keys of one use verify nothing of another.
        """
        return self._view.verification_keys.get((use, kid))

    def jwks(self) -> bytes:
        """The JWK Set (RFC 7517 section 5) of the token keys that are published, active or retired."""
        return self._view.jwks

    @property
    def position(self) -> int:
        """The position of the registry at which they were read."""
        return self._view.position

    def published(self, use: SigningKeyUse) -> list[VerificationKey]:
        """The keys of ``use`` that others may verify by: published, active or retired, in a stable order."""
        return [key for (of, _), key in self._view.verification_keys.items() if of == use]

    @property
    def etag(self) -> str:
        """A strong entity tag of ``jwks()``, with its quotes (RFC 9110 8.8.3)."""
        return self._view.etag

    async def ensure(self, algs: Iterable[str] = (), *, actor: str = "server") -> None:
        """Make what is missing: one active and one next key for each algorithm given, configured or wanted by an API.

        Raises ConfigurationError: an unknown algorithm, or a key-encryption key that does not fit.
        """
        await self._life.ensure(algs, actor)
        await self._load()

    async def tick(self) -> None:
        """Keep the schedule; called every few seconds by one process, harmless in several."""
        await self._life.tick("server")
        await self._load()

    async def rotate(
        self,
        alg: str | None = None,
        *,
        compromised: bool = False,
        kid: str | None = None,
        use: SigningKeyUse = "token",
        actor: str = "cli",
    ) -> list[Rotation]:
        """Change to the next key, for one algorithm or all; what it did, for each.

        compromised: the old key (the active one, or the one named ``kid``) is refused at once, everywhere that asks,
        and the next one signs at once. Raises ConfigurationError: no such key, or ``kid`` without ``compromised``.
        """
        if kid is not None and not compromised:
            raise ConfigurationError("A single key is only named to withdraw it: add --compromised, or name no key.")
        done = await (self._life.withdraw(use, alg, kid, actor) if compromised else self._life.rotate(use, alg, actor))
        await self._load()
        return done

    async def rewrap(self, new: KeyEncryptionKey, *, actor: str = "cli") -> int:
        """Wrap all private keys by ``new`` in one unit of work; how many. The old key-encryption key opens none."""
        return await self._life.rewrap(new, actor)

    async def _load(self) -> None:
        async with self._storage.read() as work:
            position = (await work.positions()).registry
            keys = await work.signing_keys.list()
        if position == self._view.position:
            return
        signers, faults = self._signers([key for key in keys if key.state == "active"])
        verifying = sorted(
            (key for key in keys if key.state in _VERIFYING), key=lambda key: (key.published_at, key.kid)
        )
        jwks = _jwks([key for key in verifying if key.use == "token"])
        self._view = _View(
            position=position,
            signers=signers,
            faults=faults,
            verification_keys={(key.use, key.kid): self._verification_key(key) for key in verifying},
            jwks=jwks,
            etag='"' + base64url.encode(hashlib.sha256(jwks).digest()[:18]).decode("ascii") + '"',
        )

    def _signers(self, active: list[InstallationKey]) -> tuple[dict[Kind, Signer], dict[Kind, str]]:
        signers: dict[Kind, Signer] = {}
        faults: dict[Kind, str] = {}
        for key in active:
            kind: Kind = (key.use, key.alg)
            present = self._view.signers.get(kind)
            try:
                # A key in memory stays open when it is wrapped anew.
                signers[kind] = present if present is not None and present.kid == key.kid else self._open(key)
            except ConfigurationError as error:
                faults[kind] = str(error)
                _log.error("the signing key %s cannot be used: %s", key.kid, error)
        return signers, faults

    def _open(self, key: InstallationKey) -> Signer:
        return self._key_management.signer(key.kid, key.use, key.alg, key.wrapped_private_key)

    def _verification_key(self, key: InstallationKey) -> VerificationKey:
        present = self._view.verification_keys.get((key.use, key.kid))
        return present or parse_public_key(key.public_jwk, kid=key.kid, alg=key.alg)


def _jwks(keys: list[InstallationKey]) -> bytes:
    # They come in a stable order, so that the same keys are the same bytes in every process.
    documents = [json.loads(key.public_jwk) for key in keys]
    return json.dumps({"keys": documents}, separators=(",", ":"), sort_keys=True).encode("ascii")
