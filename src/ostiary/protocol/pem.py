"""Keys in PEM: RFC 7468 (SPKI, PKCS 8), RFC 8017 appendix A (PKCS 1), RFC 5915 (SEC 1)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from ostiary.protocol import eddsa, rsa_signatures
from ostiary.protocol.algorithms import PrivateKey, PublicKey
from ostiary.protocol.refusals import bad_key

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----[^-]*-----END ([A-Z0-9 ]{1,40})-----")
_PUBLIC = frozenset({b"PUBLIC KEY", b"RSA PUBLIC KEY"})
_PRIVATE = frozenset({b"PRIVATE KEY", b"RSA PRIVATE KEY", b"EC PRIVATE KEY"})
_MEND_PRIVATE = "hand over the public key only (openssl pkey -pubout) and keep the private key where it is"


def looks_like_pem(document: bytes) -> bool:
    """Whether ``document`` holds a PEM block rather than JSON."""
    return b"-----BEGIN " in document and document.lstrip()[:1] != b"{"


def public_keys(document: bytes) -> list[PublicKey]:
    """Every public key in ``document``, in order. Raises VerificationError("key"); a private block is a refusal."""
    return [_public(label, block) for label, block in _blocks(document)]


def private_key(document: bytes) -> PrivateKey:
    """The one unencrypted private key in ``document``. Raises VerificationError("key")."""
    blocks = [(label, block) for label, block in _blocks(document) if label != b"EC PARAMETERS"]
    if len(blocks) != 1 or blocks[0][0] not in _PRIVATE:
        raise bad_key(
            "a document without exactly one unencrypted private key", expected="PKCS 8, PKCS 1 or SEC 1 in PEM"
        )
    try:
        key = serialization.load_pem_private_key(blocks[0][1], password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise bad_key("a private key that cannot be read") from None
    return checked_private(key)


def private_key_from_der(der: bytes) -> PrivateKey:
    """The private key in an unencrypted PKCS 8 structure (DER). Raises VerificationError("key")."""
    try:
        key = serialization.load_der_private_key(der, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise bad_key("a private key that cannot be read", expected="unencrypted PKCS 8") from None
    return checked_private(key)


def checked_private(key: object) -> PrivateKey:
    """``key`` if its type and strength are ours. Raises VerificationError("key")."""
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        checked_public(key.public_key())
        return key
    raise bad_key("a private key of a type that is not allowed", expected="EC, Ed25519 or RSA")


def checked_public(key: object) -> PublicKey:
    """``key`` if its type and strength are ours; the curve is looked at by ``algorithms.algorithm_for``."""
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        rsa_signatures.check_strength(numbers.n, numbers.e)
        return key
    if isinstance(key, ed25519.Ed25519PublicKey):
        eddsa.check_point(key.public_bytes_raw())
        return key
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key
    raise bad_key("a public key of a type that is not allowed", expected="EC, Ed25519 or RSA")


def _public(label: bytes, block: bytes) -> PublicKey:
    if b"PRIVATE" in label:
        raise bad_key("a private key where a public key belongs", mend=_MEND_PRIVATE)
    if label not in _PUBLIC:
        raise bad_key("a PEM block that is not a public key", expected="PUBLIC KEY or RSA PUBLIC KEY")
    try:
        key = serialization.load_pem_public_key(block)
    except (ValueError, UnsupportedAlgorithm):
        raise bad_key("a public key that cannot be read") from None
    return checked_public(key)


def _blocks(document: bytes) -> Iterator[tuple[bytes, bytes]]:
    blocks = list(_BLOCK.finditer(document))
    # Each armour line must belong to a block that was found: half a block is not to be passed over in silence.
    if not blocks or document.count(b"-----BEGIN ") != len(blocks) or any(b[1] != b[2] for b in blocks):
        raise bad_key("a PEM document with broken or missing blocks")
    for block in blocks:
        yield block[1], block[0]
