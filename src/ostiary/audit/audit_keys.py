"""The installation's audit keys as verifiers need them: every one that ever signed a head, withdrawn ones marked."""

from __future__ import annotations

from dataclasses import dataclass

from ostiary.audit import head as heads
from ostiary.audit.head import Head
from ostiary.errors import ConfigurationError, VerificationError
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


async def verified_checkpoint(storage: Storage, token: str) -> Head:
    """The checkpoint that stands in the database, if an audit key signed it. Raises ConfigurationError.

    The keys are read anew: the one that has just signed it may have come while the caller was at work.
    """
    keys = await AuditKeys.load(storage)
    try:
        return heads.verify(token, keys.all, typ=heads.CHECKPOINT_TYP)
    except VerificationError as error:
        raise ConfigurationError(
            f"The checkpoint of the audit log is not ours: {error.public}. Run `ostiary audit verify`."
        ) from error
