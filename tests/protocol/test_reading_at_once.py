"""What is read by a shorter way is taken or refused as by the longer one, to the word."""

from __future__ import annotations

import binascii
import json
from typing import Any
from unittest.mock import Mock, patch

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ostiary.errors import VerificationError
from ostiary.protocol import access_token, base64url, ecdsa, jws, strict_json
from tests.protocol.keys import API, CLIENT, ISSUER, NOW, raw_token, signing_key

KEY = signing_key()
USUAL: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "user-1",
    "aud": API,
    "exp": NOW + 600,
    "iat": NOW,
    "nbf": NOW,
    "jti": "j-1",
    "client_id": CLIENT,
    "scope": "orders:read",
    "grant_id": "g-1",
    "rev": 7,
}
RARER = ("auth_time", "acr", "amr", "sid", "cnf", "status", "extra", "x")
OF_A_USER: dict[str, Any] = {**USUAL, "auth_time": NOW - 5, "acr": "urn:acr", "amr": ["pwd", "otp"], "sid": "s-1"}
BOUND: dict[str, Any] = {**USUAL, "cnf": {"x5t#S256": "A" * 43}}
PLACED: dict[str, Any] = {**USUAL, "status": {"status_list": {"idx": 7, "uri": ISSUER + "/status-lists/a"}}}
ABSENT = object()

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("aé \\")
values = leaves | st.lists(leaves, max_size=3) | st.dictionaries(st.text("ab"), leaves, max_size=2)


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """Claims that no token has: each is read one by one then."""


def judged(claims: dict[str, Any]) -> object:
    """The claims of a token that says ``claims``, or all that its refusal says."""
    payload = json.dumps({name: value for name, value in claims.items() if value is not ABSENT}).encode()
    token = jws.parse(raw_token({"alg": "ES256", "typ": access_token.TYP}, payload, KEY))
    try:
        return access_token.verify(token, KEY.verification_key, issuer=ISSUER, audience=(API,), now=NOW)
    except VerificationError as refusal:
        return refusal.check, refusal.public, refusal.seen, refusal.expected


def judged_one_by_one(claims: dict[str, Any]) -> object:
    with patch.object(access_token, "_Usual", Nothing), patch.object(access_token, "_Rarer", Nothing):
        return judged(claims)


@pytest.mark.parametrize("claims", [USUAL, OF_A_USER, BOUND, PLACED, OF_A_USER | BOUND | PLACED])
def test_the_usual_claims_are_read_at_once(claims: dict[str, Any]) -> None:
    with patch.object(access_token, "_one_by_one", lambda *_: pytest.fail("one by one")):
        read = judged(claims)
    assert isinstance(read, access_token.AccessTokenClaims)
    assert read == judged_one_by_one(claims)


@settings(deadline=None)  # a shared machine may pause
@given(st.sampled_from([*USUAL, *RARER]), values)
@example("auth_time", float(NOW))
@example("auth_time", 2**53 + 1)
@example("acr", "a" * 257)
@example("amr", ["pwd", ""])
@example("amr", ["pwd", 1])
@example("sid", "s" * 257)
@example("cnf", ["x5t#S256"])
@example("status", ["status_list"])
@example("sub", "é" * 256)
@example("sub", "é" * 257)
@example("client_id", "c" * 2048)
@example("client_id", "c" * 2049)
@example("scope", "s" * 4096)
@example("scope", "s" * 4097)
@example("scope", "a  b")
@example("aud", [API])
@example("aud", [API, ""])
@example("aud", [API, 1])
@example("exp", NOW - 10)
@example("exp", float(NOW + 1))
@example("iat", NOW + 10)
@example("iat", NOW + 11)
@example("nbf", NOW + 11)
@example("rev", 7.0)
@example("rev", -1)
@example("rev", 2**70)
def test_one_claim_altered_is_judged_as_one_by_one(name: str, value: object) -> None:
    for usual in (USUAL, OF_A_USER | BOUND | PLACED):
        claims = {**usual, name: value}
        assert judged(claims) == judged_one_by_one(claims)


@pytest.mark.parametrize("value", [None, True, "", [], {}, ABSENT])
@pytest.mark.parametrize("name", [*USUAL, *RARER])
def test_a_claim_that_is_nothing_is_judged_as_one_by_one(name: str, value: object) -> None:
    for usual in (USUAL, OF_A_USER | BOUND | PLACED):
        claims = {**usual, name: value}
        assert judged(claims) == judged_one_by_one(claims)


@settings(deadline=None)  # a shared machine may pause
@given(st.dictionaries(st.sampled_from([*USUAL, *RARER]), values | st.just(ABSENT), min_size=2))
def test_of_several_faults_the_same_is_told(changed: dict[str, Any]) -> None:
    for usual in (USUAL, OF_A_USER | BOUND | PLACED):
        assert judged({**usual, **changed}) == judged_one_by_one({**usual, **changed})


@pytest.mark.parametrize("curve", ecdsa.CURVES.values(), ids=lambda curve: curve.name)
@settings(deadline=None)  # a shared machine may pause
@given(data=st.data())
def test_a_signature_is_written_in_der_as_the_library_writes_it(curve: ecdsa.Curve, data: st.DataObject) -> None:
    edges = [1, 0x7F, 0x80, 0xFF, 0x100, curve.order >> 1, curve.order - 1, *(1 << bit for bit in (247, 248, 255))]
    numbers = st.sampled_from(edges) | st.integers(1, curve.order - 1)
    r, s = data.draw(numbers), data.draw(numbers)
    library = Mock(spec=ec.EllipticCurvePublicKey)
    ecdsa.verifier(library, curve)(b"", r.to_bytes(curve.octets, "big") + s.to_bytes(curve.octets, "big"))
    assert library.verify.call_args.args[0] == encode_dss_signature(r, s)


@pytest.mark.parametrize("length", range(9))
def test_base64url_with_any_byte_anywhere_is_read_as_by_another_decoder(length: int) -> None:
    good = b"Az09-_Qw"[:length]
    for place in range(length):
        for byte in range(256):
            text = good[:place] + bytes((byte,)) + good[place + 1 :]
            assert _decoded(text) == _by_binascii(text), text


@pytest.mark.parametrize("raw", [b'{"a":[]}', b'{"a":{}}', b' {"a":{}}', b'{"a":1,"b":{"c":[1]}}'])
def test_an_object_with_another_inside_is_not_flat(raw: bytes) -> None:
    assert strict_json.is_flat(b'{"a":"b","c":1}')
    assert not strict_json.is_flat(raw)


def _decoded(text: bytes) -> bytes | None:
    try:
        return base64url.decode(text)
    except VerificationError:
        return None


def _by_binascii(text: bytes) -> bytes | None:
    if set(text) & set(b"+/="):
        return None
    standard = text.translate(bytes.maketrans(b"-_", b"+/")) + b"=" * (-len(text) % 4)
    try:
        raw = binascii.a2b_base64(standard, strict_mode=True)
    except binascii.Error:
        return None
    return raw if binascii.b2a_base64(raw, newline=False) == standard else None
