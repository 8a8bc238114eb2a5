"""The members of a JWK and the keys they stand for: RFC 7518 section 6, RFC 8037 section 2, RFC 7638."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from ostiary.errors import VerificationError
from ostiary.protocol import base64url, ecdsa, eddsa, rsa_signatures, strict_json
from ostiary.protocol.algorithms import PrivateKey, PublicKey
from ostiary.protocol.refusals import bad_key

PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
_RSA_PRIVATE = ("d", "p", "q", "dp", "dq", "qi")


def public_key(jwk: Mapping[str, object]) -> PublicKey:
    """The public key that the public members of ``jwk`` stand for. Raises VerificationError("key")."""
    key_type = jwk.get("kty")
    if key_type == "EC":
        return _ec_public(jwk)
    if key_type == "OKP":
        return _okp_public(jwk)
    if key_type == "RSA":
        n, e = _integer(jwk, "n"), _integer(jwk, "e")
        rsa_signatures.check_strength(n, e)
        return rsa.RSAPublicNumbers(e, n).public_key()
    raise bad_key(
        "a key type that is not allowed", expected="EC, OKP or RSA", mend="use a public key, never a shared one"
    )


def private_key(jwk: Mapping[str, object]) -> PrivateKey:
    """The private key in ``jwk``, its public members compared with it. Raises VerificationError("key")."""
    public = public_key(jwk)
    key: PrivateKey
    if isinstance(public, ec.EllipticCurvePublicKey):
        key = _ec_private(jwk)
    elif isinstance(public, rsa.RSAPublicKey):
        key = _rsa_private(jwk, public.public_numbers())
    else:
        key = ed25519.Ed25519PrivateKey.from_private_bytes(_octets(jwk, "d", eddsa.KEY_OCTETS))
    if public_members(key.public_key()) != public_members(public):
        raise bad_key("a private key that does not belong to its public members")
    return key


def public_members(key: PublicKey) -> dict[str, str]:
    """The required members of ``key`` as a public JWK, in the order of their names."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        curve, numbers = _known_curve(key), key.public_numbers()
        x, y = (number.to_bytes(curve.octets, "big") for number in (numbers.x, numbers.y))
        return {"crv": curve.name, "kty": "EC", "x": _text(x), "y": _text(y)}
    if isinstance(key, rsa.RSAPublicKey):
        rsa_numbers = key.public_numbers()
        return {"e": _integer_text(rsa_numbers.e), "kty": "RSA", "n": _integer_text(rsa_numbers.n)}
    return {"crv": "Ed25519", "kty": "OKP", "x": _text(key.public_bytes_raw())}


def private_members(key: PrivateKey) -> dict[str, str]:
    """The private members of ``key`` alone."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        value = key.private_numbers().private_value
        return {"d": _text(value.to_bytes(_known_curve(key).octets, "big"))}
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        values = (numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)
        return {name: _integer_text(value) for name, value in zip(_RSA_PRIVATE, values, strict=True)}
    return {"d": _text(key.private_bytes_raw())}


def thumbprint(members: Mapping[str, str]) -> str:
    """The SHA-256 thumbprint (base64url) of the required members. Source: RFC 7638 section 3."""
    canonical = strict_json.encode(dict(sorted(members.items())))
    return _text(hashlib.sha256(canonical).digest())


def _ec_public(jwk: Mapping[str, object]) -> ec.EllipticCurvePublicKey:
    name = jwk.get("crv")
    curve = ecdsa.CURVES.get(name) if isinstance(name, str) else None
    if curve is None:
        raise bad_key("an EC key on a curve that is not allowed", expected=", ".join(ecdsa.CURVES))
    x, y = (int.from_bytes(_octets(jwk, member, curve.octets), "big") for member in ("x", "y"))
    try:
        # The library refuses coordinates beyond the field and points off the curve (RFC 8725bis 3.4).
        return ec.EllipticCurvePublicNumbers(x, y, curve.curve).public_key()
    except ValueError:
        raise bad_key(f"a point that is not on {curve.name}") from None


def _okp_public(jwk: Mapping[str, object]) -> ed25519.Ed25519PublicKey:
    if jwk.get("crv") != "Ed25519":
        raise bad_key("an OKP key on a curve that is not allowed", expected="Ed25519")
    raw = _octets(jwk, "x", eddsa.KEY_OCTETS)
    eddsa.check_point(raw)
    return ed25519.Ed25519PublicKey.from_public_bytes(raw)


def _ec_private(jwk: Mapping[str, object]) -> ec.EllipticCurvePrivateKey:
    curve = ecdsa.CURVES[str(jwk["crv"])]
    value = int.from_bytes(_octets(jwk, "d", curve.octets), "big")
    if not 0 < value < curve.order:
        raise bad_key("an EC private key outside the group")
    return ec.derive_private_key(value, curve.curve)


def _rsa_private(jwk: Mapping[str, object], public: rsa.RSAPublicNumbers) -> rsa.RSAPrivateKey:
    if "oth" in jwk:
        raise bad_key("an RSA key of more than two primes", expected="two primes")
    d, p, q, dp, dq, qi = (_integer(jwk, member) for member in _RSA_PRIVATE)
    try:
        return rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, public).private_key()
    except ValueError:
        raise bad_key("an RSA private key whose members do not fit each other") from None


def _known_curve(key: ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) -> ecdsa.Curve:
    curve = ecdsa.curve_of(key)
    if curve is None:
        raise bad_key(f"an EC key on {key.curve.name}", expected=", ".join(ecdsa.CURVES))
    return curve


def _raw(jwk: Mapping[str, object], member: str) -> bytes:
    value = jwk.get(member)
    if not isinstance(value, str) or not value:
        raise bad_key(f'no member "{member}" that is a text')
    try:
        return base64url.decode(value.encode("utf-8"))
    except (VerificationError, UnicodeEncodeError):
        raise bad_key(f'the member "{member}" is not unpadded base64url') from None


def _octets(jwk: Mapping[str, object], member: str, length: int) -> bytes:
    # "The length of this octet string MUST be the full size of a coordinate for the curve." RFC 7518 6.2.1.2
    raw = _raw(jwk, member)
    if len(raw) != length:
        raise bad_key(f'the member "{member}" has {len(raw)} octets', expected=f"{length} octets")
    return raw


def _integer(jwk: Mapping[str, object], member: str) -> int:
    # "The octet sequence MUST utilize the minimum number of octets needed to represent the value." RFC 7518 2
    raw = _raw(jwk, member)
    if raw[0] == 0:
        raise bad_key(f'the member "{member}" has leading zero octets', expected="the shortest form")
    return int.from_bytes(raw, "big")


def _text(raw: bytes) -> str:
    return base64url.encode(raw).decode("ascii")


def _integer_text(value: int) -> str:
    return _text(value.to_bytes((value.bit_length() + 7) // 8, "big"))
