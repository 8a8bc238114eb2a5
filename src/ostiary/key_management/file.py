"""Key management by wrapped keys: private keys stand in the database, sealed by a key-encryption key kept outside it.

A file is read again whenever a key was wrapped by another key-encryption key than the one in memory, so that a running
server follows ``ostiary keys rewrap``; a key from the environment stays what it was until the process is restarted.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.key_management.base import GeneratedKey, KeyUse, Signer
from ostiary.key_management.key_encryption_key import KeyEncryptionKey, Random, wrapped_by
from ostiary.protocol.jwk import SigningKey
from ostiary.settings.sections import KeySettings

Source = Callable[[], KeyEncryptionKey]


class FileKeyManagement:
    """Wraps by the key-encryption key that ``source`` gives; ``source`` is asked again for each new key."""

    def __init__(self, source: Source, *, random: Random = os.urandom) -> None:
        self._source = source
        self._random = random
        self._key = source()

    @classmethod
    def from_file(cls, path: Path) -> FileKeyManagement:
        """With the key in ``path``. Raises ConfigurationError."""
        return cls(lambda: KeyEncryptionKey.from_file(path))

    @classmethod
    def from_settings(cls, settings: KeySettings) -> FileKeyManagement:
        """With the key that the settings name. Raises ConfigurationError: none is named, or it cannot be used."""
        if settings.key_encryption_key_file is not None:
            return cls.from_file(settings.key_encryption_key_file)
        if settings.key_encryption_key is None:
            raise ConfigurationError(
                "There is no key-encryption key: make one by `ostiary keys new-kek FILE` and name it in "
                "keys.key_encryption_key_file."
            )
        key = KeyEncryptionKey.from_text(settings.key_encryption_key.get_secret_value())
        return cls(lambda: key)

    def wrapping_key_id(self) -> str:
        """The name of the key-encryption key as it is now, read again."""
        self._key = self._source()
        return self._key.name

    async def generate(self, alg: str, *, use: KeyUse) -> GeneratedKey:
        """A new key pair, its private half wrapped. Raises ConfigurationError for an algorithm that is not allowed."""
        try:
            key = await asyncio.to_thread(SigningKey.generate, alg)
        except VerificationError as error:
            raise ConfigurationError(f"No key can be made for {alg}: {error.seen}.") from None
        self._key = self._source()
        public = json.dumps(key.verification_key.public_jwk(), separators=(",", ":"), sort_keys=True)
        wrapped = self._key.wrap(key.to_pkcs8(), _context(key.kid, use, alg), self._random)
        return GeneratedKey(key.kid, alg, public, wrapped)

    def signer(self, kid: str, use: KeyUse, alg: str, wrapped: bytes) -> Signer:
        """What signs with the wrapped key. Raises ConfigurationError."""
        plain = self._opening(wrapped).unwrap(wrapped, _context(kid, use, alg))
        try:
            return SigningKey.from_pkcs8(plain, alg, kid)
        except VerificationError:
            raise ConfigurationError(f"The stored private key {kid} cannot be read: restore the database.") from None

    def rewrap(self, kid: str, use: KeyUse, alg: str, wrapped: bytes, *, new: KeyEncryptionKey) -> bytes:
        """The same private key wrapped by ``new``. Raises ConfigurationError."""
        context = _context(kid, use, alg)
        return new.wrap(self._opening(wrapped).unwrap(wrapped, context), context, self._random)

    def wrap_secret(self, name: str, secret: bytes) -> bytes:
        """``secret`` wrapped for ``name``."""
        self._key = self._source()
        return self._key.wrap(secret, _secret_context(name), self._random)

    def unwrap_secret(self, name: str, wrapped: bytes) -> bytes:
        """The secret that was wrapped for ``name``. Raises ConfigurationError."""
        return self._opening(wrapped).unwrap(wrapped, _secret_context(name))

    def rewrap_secret(self, name: str, wrapped: bytes, *, new: KeyEncryptionKey) -> bytes:
        """The same secret wrapped by ``new``. Raises ConfigurationError."""
        return new.wrap(self.unwrap_secret(name, wrapped), _secret_context(name), self._random)

    def _opening(self, wrapped: bytes) -> KeyEncryptionKey:
        if wrapped_by(wrapped) != self._key.name:
            self._key = self._source()
        return self._key


def _context(kid: str, use: KeyUse, alg: str) -> bytes:
    # None of the three can hold a zero byte, so no two of them read the same.
    return b"installation key\0" + b"\0".join(part.encode("utf-8") for part in (kid, use, alg))


def _secret_context(name: str) -> bytes:
    return b"installation secret\0" + name.encode("utf-8")
