"""The key-encryption key: 32 random bytes, base64url in a file of mode 0600, and how it wraps a private key.

The wrapped form is ``OKW1``, 8 bytes that name the key-encryption key, a 12-byte nonce and AES-256-GCM over the PKCS 8
form of the key (NIST SP 800-38D). The associated data binds kid, use and algorithm, so that a row of the database
cannot pass for another: a token key swapped into the place of an audit key does not open.
"""

from __future__ import annotations

import binascii
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import base64url
from ostiary.secret_files import read_secret_file, write_secret_file

KEY_BYTES: Final = 32
_FORM = b"OKW1"
_NAME_BYTES = 8
_NONCE_BYTES = 12
_NONCE_AT = len(_FORM) + _NAME_BYTES
_SEALED_AT = _NONCE_AT + _NONCE_BYTES

Random = Callable[[int], bytes]


class KeyEncryptionKey:
    """A key-encryption key in memory; its representation shows its name only.

    name: 16 hex digits, the beginning of a SHA-256 of the key; public, it says which key wrapped something.
    """

    __slots__ = ("_cipher", "name")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != KEY_BYTES or len(set(raw)) == 1:
            raise ConfigurationError(f"A key-encryption key has {KEY_BYTES} random bytes: make one by `{NEW_KEY}`.")
        self.name = hashlib.sha256(b"ostiary key-encryption key\0" + raw).hexdigest()[: 2 * _NAME_BYTES]
        self._cipher = AESGCM(raw)

    def __repr__(self) -> str:
        return f"KeyEncryptionKey({self.name})"

    @classmethod
    def from_text(cls, text: bytes | str) -> KeyEncryptionKey:
        """The key in base64url, with or without padding. Raises ConfigurationError, never with the text."""
        encoded = text.encode("utf-8") if isinstance(text, str) else text
        try:
            raw = base64url.decode(encoded.strip().rstrip(b"="))
        except VerificationError:
            raise ConfigurationError(
                f"The key-encryption key is not {KEY_BYTES} bytes in base64url: make one by `{NEW_KEY}`."
            ) from None
        return cls(raw)

    @classmethod
    def from_file(cls, path: Path) -> KeyEncryptionKey:
        """The key in a file that only its owner can read. Raises ConfigurationError."""
        return cls.from_text(read_secret_file(path))

    def wrap(self, plain: bytes, context: bytes, random: Random = os.urandom) -> bytes:
        """``plain`` sealed for ``context``."""
        nonce = random(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, plain, _FORM + context)
        return _FORM + binascii.unhexlify(self.name) + nonce + sealed

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """What was wrapped for ``context``. Raises ConfigurationError: another key, another context, an altered row."""
        if (name := wrapped_by(wrapped)) != self.name:
            raise ConfigurationError(
                f"This was wrapped by the key-encryption key {name}, and the one at hand is {self.name}: "
                "name the file of the right one."
            )
        try:
            return self._cipher.decrypt(wrapped[_NONCE_AT:_SEALED_AT], wrapped[_SEALED_AT:], _FORM + context)
        except InvalidTag:
            raise ConfigurationError(
                "A wrapped key does not open: its row was altered or stands in another's place; restore the database."
            ) from None


NEW_KEY = "ostiary keys new-kek FILE"


def wrapped_by(wrapped: bytes) -> str:
    """The name of the key-encryption key that made ``wrapped``. Raises ConfigurationError if it is no wrapped key."""
    if wrapped[: len(_FORM)] != _FORM or len(wrapped) <= _SEALED_AT:
        raise ConfigurationError("A stored private key is not in the form OKW1: restore the database from its backup.")
    return wrapped[len(_FORM) : _NONCE_AT].hex()


def create_key_encryption_key(path: Path, random: Random = os.urandom) -> KeyEncryptionKey:
    """Make a new key in a new file of mode 0600. Raises ConfigurationError if the file exists."""
    raw = random(KEY_BYTES)
    write_secret_file(path, base64url.encode(raw) + b"\n")
    return KeyEncryptionKey(raw)
