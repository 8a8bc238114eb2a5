"""The public keys that certificates are issued for: kind, strength, and how they are named."""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ostiary.certificate_authority.refusal import refused
from ostiary.errors import VerificationError
from ostiary.protocol import base64url, pem
from ostiary.protocol.algorithms import PublicKey

MIN_RSA_BITS: Final = 3072
"""ASVS 11.2.3 wants 128 bits of strength: RSA 3072, P-256."""

_CURVES = ("secp256r1", "secp384r1")


def checked(key: object) -> PublicKey:
    """``key`` if it is P-256, P-384, Ed25519 or RSA of 3072 bits or more. Raises VerificationError (check "key")."""
    try:
        public = pem.checked_public(key)
    except VerificationError as error:
        raise _weak(error.seen or "a key of another kind") from None
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name not in _CURVES:
        raise _weak(f"a key on {public.curve.name}")
    if isinstance(public, rsa.RSAPublicKey) and public.key_size < MIN_RSA_BITS:
        raise _weak(f"an RSA key of {public.key_size} bits")
    return public


def spki(key: PublicKey) -> bytes:
    """SubjectPublicKeyInfo, DER."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def thumbprint(key: PublicKey) -> str:
    """SHA-256 of the SubjectPublicKeyInfo, base64url."""
    return base64url.encode(hashlib.sha256(spki(key)).digest()).decode("ascii")


def key_identifier(key: PublicKey) -> bytes:
    """The subject key identifier: the leftmost 160 bits of SHA-256 of the key's BIT STRING (RFC 7093 2, method 1)."""
    return hashlib.sha256(bit_string(key)).digest()[:20]


def bit_string(key: PublicKey) -> bytes:
    """The value of the BIT STRING subjectPublicKey, without tag and length."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    if isinstance(key, rsa.RSAPublicKey):
        return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    return key.public_bytes_raw()


def _weak(seen: str) -> VerificationError:
    return refused(
        "key",
        "no certificate is issued for this key",
        seen=seen,
        expected=f"P-256, P-384, Ed25519 or RSA of at least {MIN_RSA_BITS} bits",
        mend="make a new key: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256",
    )
