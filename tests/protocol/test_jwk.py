"""Which keys are taken, from which documents, and which are refused (RFC 7517, RFC 7518 section 6)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa

from ostiary.errors import VerificationError
from ostiary.protocol import ecdsa, eddsa
from ostiary.protocol.algorithms import ALGORITHMS
from ostiary.protocol.jwk import SigningKey, parse_private_key, parse_public_key, parse_public_keys
from tests.protocol.keys import signing_key

SPKI = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
PKCS1 = (serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
EDWARDS_PRIME = 2**255 - 19


def public(alg: str = "ES256") -> dict[str, Any]:
    return dict(signing_key(alg).verification_key.public_jwk())


def pem(alg: str, *, kind: tuple[Any, Any] = SPKI) -> bytes:
    return signing_key(alg)._private.public_key().public_bytes(*kind)


def weak_rsa(n: int, e: int = 65537) -> dict[str, str]:
    return {"kty": "RSA", "alg": "PS256", "n": text(n.to_bytes((n.bit_length() + 7) // 8)), "e": text(big(e))}


def big(number: int) -> bytes:
    return number.to_bytes(max(1, (number.bit_length() + 7) // 8))


def text(raw: bytes) -> str:
    from ostiary.protocol import base64url

    return base64url.encode(raw).decode()


@pytest.mark.parametrize("curve", ecdsa.CURVES.values(), ids=lambda curve: curve.name)
def test_order_of_each_curve_is_the_order_of_its_generator(curve: ecdsa.Curve) -> None:
    """n - 1 times the generator is its negative: x is the same, y another."""
    first, last = (ec.derive_private_key(d, curve.curve).public_key().public_numbers() for d in (1, curve.order - 1))
    assert (first.x, first.y != last.y) == (last.x, True)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_key_survives_each_of_its_forms(alg: str) -> None:
    key = signing_key(alg)
    assert parse_private_key(key.private_jwk()) == key
    assert parse_private_key(json.dumps(key.private_jwk()).encode()) == key
    assert SigningKey.from_pkcs8(key.to_pkcs8(), alg, None) == key
    assert parse_public_key(key.verification_key.public_jwk()) == key.verification_key
    assert parse_public_key(pem(alg), alg=alg) == key.verification_key


def test_kid_is_the_thumbprint_unless_given() -> None:
    key = SigningKey.generate("ES256")
    assert key.kid == key.verification_key.thumbprint
    assert SigningKey.generate("ES256", kid="mine").verification_key.kid == "mine"


def test_a_key_never_shows_its_private_part() -> None:
    key = signing_key()
    assert key.private_jwk()["d"] not in repr(key)
    assert "_private" not in repr(key)


def test_pem_of_pkcs1_and_of_several_blocks_is_read_in_order() -> None:
    assert parse_public_key(pem("RS256", kind=PKCS1), alg="RS256") == signing_key("RS256").verification_key
    both = parse_public_keys(pem("ES256") + b"\n" + pem("EdDSA"))
    assert [key.alg for key in both] == ["ES256", "EdDSA"]


@pytest.mark.parametrize("name", ["PKCS8", "TraditionalOpenSSL"])
def test_private_key_is_read_from_pem(name: str) -> None:
    form: serialization.PrivateFormat = getattr(serialization.PrivateFormat, name)
    document = signing_key()._private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    assert parse_private_key(document) == signing_key()


def test_rsa_key_without_algorithm_is_refused() -> None:
    """standards 50: one key, one algorithm, and nobody guesses which."""
    with pytest.raises(VerificationError, match=r"^key:"):
        parse_public_key(pem("RS256"))


def test_ed25519_key_answers_to_the_name_it_is_registered_with() -> None:
    """standards 64: both names are taken, each for the keys registered with it."""
    members = public("Ed25519")
    assert parse_public_key(members).alg == "Ed25519"
    assert parse_public_key({**members, "alg": "EdDSA"}).alg == "EdDSA"
    del members["alg"]
    assert parse_public_key(members).alg == "EdDSA"


ALTERED: dict[str, Callable[[dict[str, Any]], object]] = {
    "private member": lambda jwk: jwk.update(d=signing_key().private_jwk()["d"]),
    "shared secret": lambda jwk: jwk.update(kty="oct", k="AAAA"),
    "k beside": lambda jwk: jwk.update(k=""),
    "kty missing": lambda jwk: jwk.pop("kty"),
    "kty of another case": lambda jwk: jwk.update(kty="ec"),
    "kty of another type": lambda jwk: jwk.update(kty="RSA"),
    "kty not a text": lambda jwk: jwk.update(kty=["EC"]),
    "crv small": lambda jwk: jwk.update(crv="P-192"),
    "crv another": lambda jwk: jwk.update(crv="P-384"),
    "crv secp256k1": lambda jwk: jwk.update(crv="secp256k1"),
    "crv not a text": lambda jwk: jwk.update(crv=1),
    "x missing": lambda jwk: jwk.pop("x"),
    "x not a text": lambda jwk: jwk.update(x=7),
    "x empty": lambda jwk: jwk.update(x=""),
    "x short": lambda jwk: jwk.update(x=text(bytes(31))),
    "x long": lambda jwk: jwk.update(x=text(bytes(33))),
    "x padded": lambda jwk: jwk.update(x=jwk["x"] + "="),
    "x with stray bits": lambda jwk: jwk.update(x=jwk["x"][:-1] + chr(ord(jwk["x"][-1]) + 1)),
    "x not base64url": lambda jwk: jwk.update(x="+" + jwk["x"][1:]),
    "x not ASCII": lambda jwk: jwk.update(x="é" + jwk["x"][1:]),
    "off the curve": lambda jwk: jwk.update(y=jwk["x"]),
    "point at the origin": lambda jwk: jwk.update(x=text(bytes(32)), y=text(bytes(32))),
    "beyond the field": lambda jwk: jwk.update(x=text(b"\xff" * 32)),
    "use for encryption": lambda jwk: jwk.update(use="enc"),
    "use not a text": lambda jwk: jwk.update(use=None),
    "key_ops without verify": lambda jwk: jwk.update(key_ops=["sign"]),
    "key_ops doubled": lambda jwk: jwk.update(key_ops=["verify", "verify"]),
    "key_ops not a list": lambda jwk: jwk.update(key_ops="verify"),
    "key_ops of objects": lambda jwk: jwk.update(key_ops=["verify", {}]),
    "alg of another curve": lambda jwk: jwk.update(alg="ES384"),
    "alg of another type": lambda jwk: jwk.update(alg="RS256"),
    "alg HMAC": lambda jwk: jwk.update(alg="HS256"),
    "alg none": lambda jwk: jwk.update(alg="none"),
    "alg of another case": lambda jwk: jwk.update(alg="es256"),
    "alg null": lambda jwk: jwk.update(alg=None),
    "alg not a text": lambda jwk: jwk.update(alg=256),
    "kid not a text": lambda jwk: jwk.update(kid=1),
    "kid empty": lambda jwk: jwk.update(kid=""),
    "kid too long": lambda jwk: jwk.update(kid="k" * 257),
}


@pytest.mark.parametrize("fault", ALTERED)
def test_jwk_with_a_single_fault_is_refused(fault: str) -> None:
    """standards 50, 55, 63, 118. attack 4: a shared or empty secret is no key here."""
    members = public()
    assert parse_public_key(members)
    ALTERED[fault](members)
    if fault == "x with stray bits" and members["x"] == public()["x"]:
        raise AssertionError(fault)
    with pytest.raises(VerificationError, match=r"^key:"):
        parse_public_key(members)
    with pytest.raises(VerificationError, match=r"^key:"):
        parse_public_keys(json.dumps({"keys": [members]}))


@pytest.mark.parametrize("bits", [512, 1024, 2047])
def test_small_rsa_key_is_refused(bits: int) -> None:
    """standards 118: RSA of at least 2048 bits."""
    modulus = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n >> (2048 - bits) | 1
    assert modulus.bit_length() == bits
    with pytest.raises(VerificationError, match=r"^key:") as refusal:
        parse_public_key(weak_rsa(modulus))
    assert refusal.value.seen == f"an RSA key of {bits} bits"


def test_small_rsa_key_in_pem_is_refused() -> None:
    small = rsa.generate_private_key(65537, 1024).public_key().public_bytes(*SPKI)  # noqa: S505 - what is refused
    with pytest.raises(VerificationError, match=r"^key:"):
        parse_public_key(small, alg="PS256")


def _sound_modulus() -> int:
    return int(signing_key("PS256")._private.public_key().public_numbers().n)  # type: ignore[union-attr]


def _roca_like() -> int:
    """A number of 2048 bits that is 1 modulo every small prime, as powers of 65537 may be."""
    from ostiary.protocol.rsa_signatures import _SMALL_PRIMES

    product = 2
    for prime in _SMALL_PRIMES:
        product *= prime
    return (2**2047 // product + 1) * product + 1


@pytest.mark.parametrize(
    ("modulus", "exponent", "seen"),
    [
        (lambda: 2**8192 + 1, 65537, "an RSA key of 8193 bits"),
        (_sound_modulus, 1, "an RSA key with an unfit public exponent"),
        (_sound_modulus, 2, "an RSA key with an unfit public exponent"),
        (_sound_modulus, 65536, "an RSA key with an unfit public exponent"),
        (_sound_modulus, 2**64 + 1, "an RSA key with an unfit public exponent"),
        (lambda: 2**2048 - 2, 65537, "an RSA modulus with a small factor"),
        (lambda: 3 * (2**2046 + 1), 65537, "an RSA modulus with a small factor"),
        (_roca_like, 65537, "an RSA key of the flawed generator of CVE-2017-15361"),
    ],
)
def test_rsa_key_with_a_single_weakness_is_refused(modulus: Callable[[], int], exponent: int, seen: str) -> None:
    with pytest.raises(VerificationError) as refusal:
        parse_public_key(weak_rsa(modulus(), exponent))
    assert (refusal.value.check, refusal.value.seen) == ("key", seen)


def test_rsa_members_with_leading_zeros_are_refused() -> None:
    members = public("RS256")
    with pytest.raises(VerificationError, match=r"^key:"):
        parse_public_key({**members, "e": "AAEAAQ"})


@pytest.mark.parametrize(
    "y",
    [0, 1, EDWARDS_PRIME - 1, eddsa._ORDER_8, EDWARDS_PRIME - eddsa._ORDER_8, EDWARDS_PRIME, EDWARDS_PRIME + 1, 2],
)
@pytest.mark.parametrize("sign", [0, 1])
def test_ed25519_point_of_small_order_not_canonical_or_off_the_curve_is_refused(y: int, sign: int) -> None:
    members = {**public("EdDSA"), "x": text((y | sign << 255).to_bytes(32, "little"))}
    with pytest.raises(VerificationError, match=r"^key:"):
        parse_public_key(members)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP192R1()),
        ec.generate_private_key(ec.SECP256K1()),
        ed448.Ed448PrivateKey.generate(),
    ],
    ids=["P-192", "secp256k1", "Ed448"],
)
def test_pem_of_a_curve_that_is_not_ours_is_refused(key: Any) -> None:
    with pytest.raises(VerificationError, match=r"^key:"):
        parse_public_key(key.public_key().public_bytes(*SPKI))


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"keys": {}}',
        b'{"keys": [1]}',
        b'{"keys": [], "kty": "EC"}',
        b'{"kty":"EC","kty":"EC"}',
        b"\xff\xfe{}",
        b"-----BEGIN PUBLIC KEY-----",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        b" " * 300_000,
    ],
)
def test_document_without_keys_is_refused(document: bytes) -> None:
    with pytest.raises(VerificationError, match=r"^key:"):
        parse_public_key(document)
    with pytest.raises(VerificationError, match=r"^key:"):
        parse_private_key(document)


def test_private_pem_where_a_public_key_belongs_is_refused() -> None:
    form = serialization.PrivateFormat.PKCS8
    private = signing_key()._private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    with pytest.raises(VerificationError, match=r"^key:"):
        parse_public_keys(pem("EdDSA") + private)


def test_half_a_block_beside_a_whole_one_is_refused() -> None:
    with pytest.raises(VerificationError, match=r"^key:"):
        parse_public_keys(pem("ES256") + b"-----BEGIN PUBLIC KEY-----\nAAAA")


@pytest.mark.parametrize("twin", [{"kid": "other"}, {}])
def test_the_same_key_twice_in_a_set_is_refused(twin: dict[str, str]) -> None:
    with pytest.raises(VerificationError, match=r"^key:"):
        parse_public_keys(json.dumps({"keys": [public(), {**public(), **twin}]}))


def test_two_keys_of_one_kid_in_a_set_are_refused() -> None:
    other = SigningKey.generate("ES256", kid=signing_key().kid).verification_key.public_jwk()
    with pytest.raises(VerificationError, match=r"^key:"):
        parse_public_keys(json.dumps({"keys": [public(), other]}), skip_unusable=True)


def test_unusable_keys_of_a_foreign_set_are_left_out_where_asked() -> None:
    """RFC 7517 5: keys of unknown types are passed over; a private key never is."""
    keys = [public(), {"kty": "AKP", "kid": "pq"}, {**public("RS256"), "use": "enc"}]
    found = parse_public_keys(json.dumps({"keys": keys}), skip_unusable=True)
    assert found == [signing_key().verification_key]
    with pytest.raises(VerificationError, match=r"^key:"):
        parse_public_keys(json.dumps({"keys": [*keys, signing_key("EdDSA").private_jwk()]}), skip_unusable=True)


@pytest.mark.parametrize(("member", "value"), [("kid", "other"), ("alg", "ES384")])
def test_document_that_says_otherwise_than_the_caller_is_refused(member: str, value: str) -> None:
    with pytest.raises(VerificationError, match=r"^key:"):
        parse_public_key(public(), **{member: value})


def test_private_key_that_is_not_of_its_public_members_is_refused() -> None:
    stranger = signing_key("ES256", 1).private_jwk()
    with pytest.raises(VerificationError, match=r"^key:"):
        parse_private_key({**signing_key().private_jwk(), "d": stranger["d"]})
