"""ECDSA for JWS: RFC 7518 section 3.4, with signatures as r || s of fixed length."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature

from ostiary.protocol.refusals import bad_signature


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve of RFC 7518 6.2.1.1: its JWK name, octets of one coordinate, order of the group, and the one hash."""

    name: str
    curve: ec.EllipticCurve
    octets: int
    order: int
    hash: hashes.HashAlgorithm


P256 = Curve(
    "P-256",
    ec.SECP256R1(),
    32,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    hashes.SHA256(),
)
P384 = Curve(
    "P-384",
    ec.SECP384R1(),
    48,
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    hashes.SHA384(),
)
P521 = Curve(
    "P-521",
    ec.SECP521R1(),
    66,
    2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
    hashes.SHA512(),
)
CURVES = {curve.name: curve for curve in (P256, P384, P521)}
# Tag and length, by length: of an INTEGER as it is or with a zero before it, and of a SEQUENCE (X.690 8.1.3).
_PLAIN = [bytes((0x02, length)) for length in range(67)]
_SIGNED = [bytes((0x02, length + 1, 0)) for length in range(67)]
_SEQUENCE = [bytes((0x30, length) if length < 0x80 else (0x30, 0x81, length)) for length in range(256)]
_BY_LIBRARY_NAME = {curve.curve.name: curve for curve in CURVES.values()}


def curve_of(key: ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) -> Curve | None:
    """The curve of ``key`` if it is one that we take (P-256, P-384, P-521), else None."""
    return _BY_LIBRARY_NAME.get(key.curve.name)


def verifier(key: ec.EllipticCurvePublicKey, curve: Curve) -> Callable[[bytes, bytes], None]:
    """A function of signing input and signature (r || s) that raises VerificationError("signature") unless they fit."""
    verify, half, length = key.verify, curve.octets, 2 * curve.octets
    digest, algorithm = _hashing(curve)
    # Big-endian numbers of one length are ordered as their octets are.
    zero, order = bytes(half), curve.order.to_bytes(half, "big")

    def check(signing_input: bytes, signature: bytes) -> None:
        # "The JWS Signature value MUST be a 64-octet sequence. If it is not a 64-octet sequence, the validation has
        # failed." RFC 7518 3.4
        if len(signature) != length:
            raise bad_signature("a signature of wrong length", f"{length} octets")
        r, s = signature[:half], signature[half:]
        # SEC 1 4.1.4: "If r and s are not both integers in the interval [1, n-1], output 'invalid'." (CVE-2022-21449)
        if not (zero < r < order and zero < s < order):
            raise bad_signature("r or s outside the group", "1 to n-1")
        # The library wants ECDSA-Sig-Value (SEC 1 C.5): a SEQUENCE of two INTEGERs in DER (X.690 8.3, 8.9). The first
        # bit of an INTEGER is its sign, so that a positive number which begins with a one takes an octet more.
        r, s = r.lstrip(b"\0"), s.lstrip(b"\0")
        both = (_SIGNED if r[0] & 0x80 else _PLAIN)[len(r)] + r + (_SIGNED if s[0] & 0x80 else _PLAIN)[len(s)] + s
        try:
            verify(_SEQUENCE[len(both)] + both, digest(signing_input).digest(), algorithm)
        except InvalidSignature:
            raise bad_signature() from None

    return check


def signer(key: ec.EllipticCurvePrivateKey, curve: Curve) -> Callable[[bytes], bytes]:
    """A function of the signing input that returns r || s."""
    sign, half = key.sign, curve.octets
    digest, algorithm = _hashing(curve)

    def make(signing_input: bytes) -> bytes:
        r, s = decode_dss_signature(sign(digest(signing_input).digest(), algorithm))
        return r.to_bytes(half, "big") + s.to_bytes(half, "big")

    return make


def _hashing(curve: Curve) -> tuple[Callable[[bytes], hashlib._Hash], ec.ECDSA]:
    """The hash function, and ECDSA over what comes out of it: hashlib is quicker to begin than the library is."""
    return getattr(hashlib, curve.hash.name), ec.ECDSA(Prehashed(curve.hash))
