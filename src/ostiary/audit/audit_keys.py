"""The installation's audit keys as verifiers need them: every one that ever signed a head, withdrawn ones marked."""

from __future__ import annotations

from dataclasses import dataclass

from ostiary.protocol.jwk import VerificationKey, parse_public_key
from ostiary.storage.base import Storage


@dataclass(frozen=True, slots=True)
class AuditKeys:
    """all: by kid; withdrawn: the kids of those that are known to be compromised."""

    all: dict[str, VerificationKey]
    withdrawn: frozenset[str] = frozenset()

    @classmethod
    async def load(cls, storage: Storage) -> AuditKeys:
        """What the database knows. Retired and removed keys verify for good: old heads stay checkable."""
        async with storage.read() as work:
            keys = await work.signing_keys.list("audit")
        known = {key.kid: parse_public_key(key.public_jwk, kid=key.kid, alg=key.alg) for key in keys}
        return cls(known, frozenset(key.kid for key in keys if key.state == "withdrawn"))
