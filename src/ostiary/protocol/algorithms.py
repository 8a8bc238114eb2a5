"""The allowlist of signature algorithms: RFC 7518 section 3.1, RFC 8037, RFC 9864; asymmetric only.

HMAC is absent, so that no public key can pose as a secret; ``none`` and RSA1_5 are absent for good (RFC 8725 3.2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from ostiary.protocol import ecdsa, eddsa, rsa_signatures
from ostiary.protocol.refusals import bad_key

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
Verifier = Callable[[bytes, bytes], None]
Signer = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A signature algorithm: its registered name, and the key type and curve it goes with."""

    name: str
    key_type: str
    curve: str | None = None


ALGORITHMS: Final[dict[str, Algorithm]] = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm("ES256", "EC", "P-256"),
        Algorithm("ES384", "EC", "P-384"),
        Algorithm("ES512", "EC", "P-521"),
        Algorithm("EdDSA", "OKP", "Ed25519"),
        Algorithm("Ed25519", "OKP", "Ed25519"),
        Algorithm("PS256", "RSA"),
        Algorithm("PS384", "RSA"),
        Algorithm("RS256", "RSA"),
    )
}
"""By exact, case-sensitive name. ``EdDSA`` and ``Ed25519`` are one computation under two names: a key answers to the
name it is registered with and to no other."""

_DEFAULTS = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}


def algorithm_for(key: PublicKey, named: str | None) -> str:
    """The one algorithm of ``key``: the one ``named``, or the only one its curve allows (Ed25519 keys: ``EdDSA``).

    An RSA key has no default: PS256 and RS256 must not share a key, so somebody has to say which. Raises
    VerificationError("key"). Source: RFC 8725bis 3.1, "each key MUST be used with exactly one algorithm".
    """
    key_type, curve = _type_and_curve(key)
    if named is None:
        if key_type == "RSA":
            raise bad_key("an RSA key without an algorithm", expected="PS256 or RS256", mend='name its "alg"')
        return _DEFAULTS.get(curve or "", "EdDSA")
    algorithm = ALGORITHMS.get(named)
    if algorithm is None:
        raise bad_key("an algorithm that is not allowed", expected=", ".join(ALGORITHMS))
    if (algorithm.key_type, algorithm.curve) != (key_type, curve):
        raise bad_key(
            f"{named} with a key of type {key_type} {curve or ''}".rstrip(), expected="an algorithm of its type"
        )
    return named


def verifier_for(key: PublicKey, alg: str) -> Verifier:
    """The function that checks signatures of ``alg`` by ``key``; all that can be prepared once is."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return ecdsa.verifier(key, _curve(key))
    if isinstance(key, rsa.RSAPublicKey):
        return rsa_signatures.verifier(key, alg)
    return eddsa.verifier(key)


def signer_for(key: PrivateKey, alg: str) -> Signer:
    """The function that makes signatures of ``alg`` with ``key``."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return ecdsa.signer(key, _curve(key))
    if isinstance(key, rsa.RSAPrivateKey):
        return rsa_signatures.signer(key, alg)
    return eddsa.signer(key)


def generate(alg: str) -> PrivateKey:
    """A new private key for ``alg``. Raises VerificationError("key") for an algorithm that is not allowed."""
    algorithm = ALGORITHMS.get(alg)
    if algorithm is None:
        raise bad_key("an algorithm that is not allowed", expected=", ".join(ALGORITHMS))
    if algorithm.key_type == "RSA":
        return rsa.generate_private_key(65537, rsa_signatures.GENERATED_BITS)
    if algorithm.curve in ecdsa.CURVES:
        return ec.generate_private_key(ecdsa.CURVES[algorithm.curve].curve)
    return ed25519.Ed25519PrivateKey.generate()


def _curve(key: ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) -> ecdsa.Curve:
    curve = ecdsa.curve_of(key)
    if curve is None:
        raise bad_key(f"an EC key on {key.curve.name}", expected="P-256, P-384 or P-521")
    return curve


def _type_and_curve(key: PublicKey) -> tuple[str, str | None]:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "EC", _curve(key).name
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", None
    return "OKP", "Ed25519"
