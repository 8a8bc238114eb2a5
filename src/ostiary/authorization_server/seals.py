"""Seals: what the server must read again but nobody else may, such as a TOTP seed or an interaction in a browser's URL.

One random sealing key stands in the database, wrapped by the key-encryption key. Every seal has a key of its own:
HKDF-SHA256 (RFC 5869) over the sealing key and, where given, a secret that the opener must bring, with a random salt
and the purpose; under it AES-256-GCM (NIST SP 800-38D), the context being associated data. The form is one byte of
version, 16 bytes of salt, and the ciphertext.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ostiary.errors import Unavailable, VerificationError
from ostiary.key_management.base import KeyManagement
from ostiary.protocol import base64url
from ostiary.storage.base import Storage

SEALING_KEY: Final = "sealing_key"
SEAL: Final = "seal"
"""The name of the check that a seal which does not open has failed."""

_VERSION = b"\x01"
_SALT_BYTES = 16
_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_CIPHERTEXT_AT = len(_VERSION) + _SALT_BYTES


class Seals:
    """Seals and opens for one installation; the sealing key is made when it is first wanted, by one process."""

    def __init__(
        self, storage: Storage, key_management: KeyManagement, *, random: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._storage = storage
        self._key_management = key_management
        self._random = random
        self._key: bytes | None = None

    async def ready(self) -> None:
        """Load the sealing key, or make it. Raises ConfigurationError (the key-encryption key) and Unavailable."""
        if self._key is not None:
            return
        async with self._storage.read() as work:
            wrapped = await work.setting(SEALING_KEY)
        if not wrapped:
            made = to_text(self._key_management.wrap_secret(SEALING_KEY, self._random(_KEY_BYTES)))
            async with self._storage.write() as work:
                # Read under the lock of the registry, which processes take in turns, so that one of them makes it.
                await work.positions(changing=True)
                wrapped = await work.setting(SEALING_KEY)
                if not wrapped:
                    await work.set_setting(SEALING_KEY, made)
                    wrapped = made
        self._key = self._key_management.unwrap_secret(SEALING_KEY, from_text(wrapped))

    def seal(self, purpose: str, plain: bytes, *, context: bytes = b"", secret: bytes = b"") -> bytes:
        """``plain`` sealed for one purpose and context; with ``secret``, only whoever brings it can have it opened.

        Raises Unavailable before ``ready``.
        """
        salt = self._random(_SALT_BYTES)
        key, nonce = self._derived(purpose, salt, secret)
        return _VERSION + salt + AESGCM(key).encrypt(nonce, plain, context)

    def open(self, purpose: str, sealed: bytes, *, context: bytes = b"", secret: bytes = b"") -> bytes:
        """What was sealed. Raises VerificationError for anything else, whatever is wrong with it; Unavailable."""
        if sealed[:1] != _VERSION or len(sealed) < _CIPHERTEXT_AT + _TAG_BYTES:
            raise _foreign()
        key, nonce = self._derived(purpose, sealed[len(_VERSION) : _CIPHERTEXT_AT], secret)
        try:
            return AESGCM(key).decrypt(nonce, sealed[_CIPHERTEXT_AT:], context)
        except InvalidTag:
            raise _foreign() from None

    def seal_text(self, purpose: str, plain: bytes, *, context: bytes = b"") -> str:
        """The same as base64url text, for a URL or a form."""
        return to_text(self.seal(purpose, plain, context=context))

    def open_text(self, purpose: str, text: str, *, context: bytes = b"") -> bytes:
        """What ``seal_text`` sealed. Raises VerificationError."""
        return self.open(purpose, from_text(text), context=context)

    def mac(self, purpose: str, text: bytes) -> bytes:
        """HMAC-SHA256 of ``text`` under a key for this purpose alone, 32 octets. Raises Unavailable."""
        info = b"ostiary mac\0" + purpose.encode("ascii")
        key = HKDF(SHA256(), _KEY_BYTES, None, info).derive(self._loaded())
        return hmac.digest(key, text, "sha256")

    def _loaded(self) -> bytes:
        if self._key is None:
            raise Unavailable("seals", "the sealing key is not loaded")
        return self._key

    def _derived(self, purpose: str, salt: bytes, secret: bytes) -> tuple[bytes, bytes]:
        info = b"ostiary seal\0" + purpose.encode("ascii")
        derived = HKDF(SHA256(), _KEY_BYTES + _NONCE_BYTES, salt, info).derive(self._loaded() + secret)
        return derived[:_KEY_BYTES], derived[_KEY_BYTES:]


def to_text(sealed: bytes) -> str:
    """Base64url without padding."""
    return base64url.encode(sealed).decode("ascii")


def from_text(text: str) -> bytes:
    """The octets of base64url text. Raises VerificationError."""
    try:
        return base64url.decode(text.encode("ascii"))
    except UnicodeEncodeError:
        raise _foreign() from None


def _foreign() -> VerificationError:
    return VerificationError(
        SEAL, "this was not made here for you", seen="a seal that does not open", expected="what this server sealed"
    )
