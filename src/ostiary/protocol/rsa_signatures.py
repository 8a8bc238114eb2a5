"""RSA for JWS: RFC 7518 sections 3.3 (RS256) and 3.5 (PS256, PS384), and the strength we ask of an RSA key."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ostiary.protocol.refusals import bad_key, bad_signature

MIN_BITS = 2048
MAX_BITS = 8192
MAX_EXPONENT_BITS = 64
GENERATED_BITS = 3072

_SMALL_PRIMES = [p for p in range(3, 752, 2) if all(p % q for q in range(3, int(p**0.5) + 1, 2))]
_SMALL_PRIMES_PRODUCT = 1
for _prime in _SMALL_PRIMES:
    _SMALL_PRIMES_PRODUCT *= _prime
# Moduli made by the flawed generator of CVE-2017-15361 ("ROCA") are powers of 65537 modulo each of these primes.
_ROCA = {p: frozenset(pow(65537, i, p) for i in range(p)) for p in _SMALL_PRIMES if p <= 167}

_PADDINGS: dict[str, tuple[padding.AsymmetricPadding, hashes.HashAlgorithm]] = {
    "RS256": (padding.PKCS1v15(), hashes.SHA256()),
    # "The size of the salt value is the same size as the hash function output." RFC 7518 3.5
    "PS256": (padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size), hashes.SHA256()),
    "PS384": (padding.PSS(padding.MGF1(hashes.SHA384()), hashes.SHA384.digest_size), hashes.SHA384()),
}


def check_strength(n: int, e: int) -> None:
    """Refuse a weak or costly RSA public key (modulus ``n``, exponent ``e``) with VerificationError("key").

    "A key of size 2048 bits or larger MUST be used with these algorithms." RFC 7518 3.3; 8192 bits bound the cost.
    """
    bits = n.bit_length()
    if not MIN_BITS <= bits <= MAX_BITS:
        raise bad_key(
            f"an RSA key of {bits} bits", expected=f"{MIN_BITS} to {MAX_BITS} bits", mend="make a key of 3072 bits"
        )
    if e < 3 or not e & 1 or e.bit_length() > MAX_EXPONENT_BITS:
        raise bad_key(
            "an RSA key with an unfit public exponent", expected="an odd exponent from 3 to 2^64", mend="use 65537"
        )
    if not n & 1 or gcd(n, _SMALL_PRIMES_PRODUCT) != 1:
        raise bad_key("an RSA modulus with a small factor")
    if all(n % p in powers for p, powers in _ROCA.items()):
        raise bad_key("an RSA key of the flawed generator of CVE-2017-15361")


def verifier(key: rsa.RSAPublicKey, alg: str) -> Callable[[bytes, bytes], None]:
    """A function of signing input and signature that raises VerificationError("signature") unless they fit."""
    verify, length = key.verify, (key.key_size + 7) // 8
    scheme, digest = _PADDINGS[alg]

    def check(signing_input: bytes, signature: bytes) -> None:
        # RFC 8017 8.1.2, 8.2.2: "If the length of the signature S is not k octets, output 'invalid signature'".
        if len(signature) != length:
            raise bad_signature("a signature of wrong length", f"{length} octets")
        try:
            verify(signature, signing_input, scheme, digest)
        except InvalidSignature:
            raise bad_signature() from None

    return check


def signer(key: rsa.RSAPrivateKey, alg: str) -> Callable[[bytes], bytes]:
    """A function of the signing input that returns the signature."""
    sign = key.sign
    scheme, digest = _PADDINGS[alg]

    def make(signing_input: bytes) -> bytes:
        return sign(signing_input, scheme, digest)

    return make
