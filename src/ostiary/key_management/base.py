"""The contract of key management: it makes key pairs, signs with them, and gives a private key away only wrapped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar

from ostiary.key_management.key_encryption_key import KeyEncryptionKey
from ostiary.model.signing_key import SigningKeyUse

T = TypeVar("T")

KeyUse = SigningKeyUse | Literal["ca"]
"""What a key is for; a key wrapped for one use does not open for another."""


class Signer(Protocol):
    """A private key that signs and cannot be read; what ``protocol.jws.sign`` takes."""

    @property
    def kid(self) -> str: ...
    @property
    def alg(self) -> str: ...
    def sign(self, signing_input: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class GeneratedKey:
    """A new key pair. kid: RFC 7638 thumbprint; public_jwk: JSON text; wrapped: the private half, sealed."""

    kid: str
    alg: str
    public_jwk: str
    wrapped: bytes = field(repr=False)


class KeyManagement(Protocol):
    """Every method raises ConfigurationError, with the mend, when the key-encryption key does not fit or is missing."""

    def wrapping_key_id(self) -> str:
        """Names the key-encryption key that wraps new keys now; public."""
        ...

    async def generate(self, alg: str, *, use: KeyUse) -> GeneratedKey:
        """A new key pair, wrapped for this use and algorithm alone; RSA takes a while and runs off the event loop."""
        ...

    def signer(self, kid: str, use: KeyUse, alg: str, wrapped: bytes) -> Signer:
        """What signs with a key that ``generate`` made; refuses a wrapped key of another kid, use or algorithm."""
        ...

    def wrap_secret(self, name: str, secret: bytes) -> bytes:
        """A symmetric secret of the installation, wrapped for this name alone."""
        ...

    def unwrap_secret(self, name: str, wrapped: bytes) -> bytes:
        """The secret that ``wrap_secret`` wrapped for this name."""
        ...

    def rewrap_secret(self, name: str, wrapped: bytes, *, new: KeyEncryptionKey) -> bytes:
        """The same secret wrapped by ``new``."""
        ...

    def rewrap(self, kid: str, use: KeyUse, alg: str, wrapped: bytes, *, new: KeyEncryptionKey) -> bytes:
        """The same key wrapped by ``new``: afterwards the present key-encryption key does not open it."""
        ...


class KeyToken(Protocol):
    """What keeps keys of authorities so that nobody, this program included, can take them out."""

    async def generate(self, alg: str) -> GeneratedKey:
        """A new key pair in the token; ``wrapped`` names it there. Raises ConfigurationError with the mend."""
        ...

    def signer(self, kid: str, alg: str, reference: bytes) -> Signer:
        """What signs with the key of that name. It waits for the token, and raises Unavailable if that is not there."""
        ...

    async def run(self, work: Callable[[], T]) -> T:
        """What ``work``, which signs, returns: done off the event loop, within a time. Raises Unavailable."""
        ...
