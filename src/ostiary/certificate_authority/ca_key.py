"""A CA's private key as pyca/cryptography wants it, made of a signer that never gives the key away.

The library signs certificates, CRLs and OCSP answers with whatever implements its interface of a private key; of that
only ``sign`` and ``public_key`` are used. So a key that key management keeps to itself (wrapped, or in a token by
PKCS#11) signs, and whatever would export it refuses.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from ostiary.errors import ConfigurationError
from ostiary.protocol.algorithms import PublicKey

CaPrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

HASHES: Final[dict[str, hashes.SHA256 | hashes.SHA384 | None]] = {
    "ES256": hashes.SHA256(),
    "ES384": hashes.SHA384(),
    "EdDSA": None,
    "RS256": hashes.SHA256(),
}
"""What an authority may sign by, and the hash that goes with it (Ed25519 has none of its own: RFC 8410)."""


class RawSigner(Protocol):
    """Signs as JWS does: ECDSA as r || s, RSA by PKCS #1 v1.5."""

    def sign(self, signing_input: bytes) -> bytes: ...


def ca_private_key(signer: RawSigner, public: PublicKey) -> CaPrivateKey:
    """What signs by ``signer``; ``public`` is its other half."""
    if isinstance(public, ec.EllipticCurvePublicKey):
        return _EcKey(signer, public)
    if isinstance(public, rsa.RSAPublicKey):
        return _RsaKey(signer, public)
    return _EdKey(signer, public)


def _never(*_: Any, **__: Any) -> NoReturn:
    raise ConfigurationError("The private key of an authority signs and is not given away.")


class _EcKey(ec.EllipticCurvePrivateKey):
    def __init__(self, signer: RawSigner, public: ec.EllipticCurvePublicKey) -> None:
        self._signer, self._public = signer, public

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public.curve

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        if isinstance(signature_algorithm.algorithm, Prehashed):
            _never()
        raw = self._signer.sign(bytes(data))
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))

    exchange = private_numbers = private_bytes = _never

    def __copy__(self) -> _EcKey:
        return self

    def __deepcopy__(self, memo: dict[Any, Any]) -> _EcKey:
        return self


class _RsaKey(rsa.RSAPrivateKey):
    def __init__(self, signer: RawSigner, public: rsa.RSAPublicKey) -> None:
        self._signer, self._public = signer, public

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def public_key(self) -> rsa.RSAPublicKey:
        return self._public

    def sign(self, data: Any, padding: Any, algorithm: Any) -> bytes:
        if isinstance(algorithm, Prehashed):
            _never()
        return self._signer.sign(bytes(data))

    decrypt = private_numbers = private_bytes = _never

    def __copy__(self) -> _RsaKey:
        return self

    def __deepcopy__(self, memo: dict[Any, Any]) -> _RsaKey:
        return self


class _EdKey(ed25519.Ed25519PrivateKey):
    def __init__(self, signer: RawSigner, public: ed25519.Ed25519PublicKey) -> None:
        self._signer, self._public = signer, public

    def public_key(self) -> ed25519.Ed25519PublicKey:
        return self._public

    def sign(self, data: Any) -> bytes:
        return self._signer.sign(bytes(data))

    private_bytes = private_bytes_raw = _never

    def __copy__(self) -> _EdKey:
        return self

    def __deepcopy__(self, memo: dict[Any, Any]) -> _EdKey:
        return self
