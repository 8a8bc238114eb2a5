"""The compact serialization and nothing else: what parse takes, and what it refuses (RFC 7515)."""

from __future__ import annotations

import json

import pytest

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import jws, strict_json
from ostiary.protocol.base64url import decode, encode
from tests.protocol.keys import raw_token, signing_key

KEY = signing_key()
GOOD = jws.sign(b'{"a":1}', KEY, typ="at+jwt")


def test_a_token_is_taken_apart_and_verifies() -> None:
    token = jws.parse(GOOD)
    assert token == jws.parse(GOOD.encode())
    assert token.header == jws.Header("ES256", KEY.kid, "at+jwt")
    assert token.signing_input == GOOD.rpartition(".")[0].encode()
    assert jws.verify(token, KEY.verification_key) == b'{"a":1}'
    assert token.claims() == {"a": 1}


def test_representation_of_a_token_shows_neither_payload_nor_signature() -> None:
    assert GOOD.split(".")[2] not in repr(jws.parse(GOOD))
    assert "signing_input" not in repr(jws.parse(GOOD))


def test_passed_checks_are_noted_in_order() -> None:
    noted: list[str] = []
    jws.verify(jws.parse(GOOD), KEY.verification_key, lambda check, seen, expected: noted.append(check))
    assert noted == ["algorithm", "signature"]


def test_further_header_members_are_signed_and_ours_cannot_be_replaced() -> None:
    token = jws.sign(b"{}", KEY, typ="JWT", header={"cty": "x"})
    assert json.loads(decode(token.split(".")[0].encode()))["cty"] == "x"
    for name in ("alg", "kid", "typ", "crit", "b64", "zip"):
        with pytest.raises(ConfigurationError):
            jws.sign(b"{}", KEY, typ="JWT", header={name: "x"})


@pytest.mark.parametrize(
    ("typ", "compared"),
    [
        ("at+jwt", "at+jwt"),
        ("AT+JWT", "at+jwt"),
        ("application/at+jwt", "at+jwt"),
        ("a/b/c", "a/b/c"),
        ("text/x", "text/x"),
    ],
)
def test_media_types_are_compared_without_case_and_prefix(typ: str, compared: str) -> None:
    assert jws.media_type(typ) == compared


@pytest.mark.parametrize("size", [16_385, 1_000_000])
def test_oversized_token_is_refused_before_anything_is_decoded(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """standards 58, attack 13."""
    monkeypatch.setattr("ostiary.protocol.base64url.decode", lambda text: pytest.fail("decoded"))
    with pytest.raises(VerificationError, match=r"^format:"):
        jws.parse("A" * (size - len(".AA.AA")) + ".AA.AA")


def test_a_flood_of_headers_leaves_the_cache_bounded() -> None:
    for number in range(1500):
        jws.parse(raw_token({"alg": "ES256", "kid": str(number)}, b"{}", _Silent()))  # type: ignore[arg-type]
    assert len(jws._headers) <= 1024


class _Silent:
    def sign(self, signing_input: bytes) -> bytes:
        return b"x"


@pytest.mark.parametrize("header", [b"", b"[]", b"null", b"{}x", b"\xff", b'{"alg":"ES256"', b'{"alg":"ES256",}'])
def test_header_that_is_no_json_object_is_refused(header: bytes) -> None:
    with pytest.raises(VerificationError, match=r"^format:"):
        jws.parse(raw_token(header, b"{}", KEY))


@pytest.mark.parametrize(
    ("header", "check"),
    [
        ({}, "algorithm"),
        ({"alg": None}, "algorithm"),
        ({"alg": ["ES256"]}, "algorithm"),
        ({"alg": "ES256", "kid": 1}, "key"),
        ({"alg": "ES256", "kid": ""}, "key"),
        ({"alg": "ES256", "kid": None}, "key"),
        ({"alg": "ES256", "typ": 1}, "header"),
        ({"alg": "ES256", "typ": ""}, "header"),
        ({"alg": "ES256", "typ": "t" * 129}, "header"),
        ({"alg": "ES256", "enc": "A256GCM"}, "header"),
    ],
)
def test_header_with_a_single_fault_is_refused(header: dict[str, object], check: str) -> None:
    assert jws.parse(raw_token({"alg": "ES256"}, b"{}", KEY))
    with pytest.raises(VerificationError, match=rf"^{check}:"):
        jws.parse(raw_token(header, b"{}", KEY))


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":[{"b":1,"b":":"}]}',
        b'{"a":1,"a":"\\u003a"}',
        b'{"x:y":1,"a":":","a":"::"}',
        b'{"":1,"":2}',
        b'{ "a" : 1 , "a" : 1 }',
    ],
)
def test_duplicate_member_names_are_refused_at_every_level(raw: bytes) -> None:
    """standards 62."""
    with pytest.raises(VerificationError, match=r"^format:") as refusal:
        strict_json.decode_object(raw)
    assert refusal.value.seen == "a duplicate member name"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":"\xff"}',
        b'{"\xff":1}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\\ud800"}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1e999}',
        b'{"a":01}',
        b'{"a":"\x01"}',
        b'{"a":"x\\u0000"}',
        b'{"\\u0000":1}',
        b'{"a":[{"b":"\\u0000"}]}',
        b"{'a':1}",
        b'{"a":1}{}',
        b"[" * 50_000,
        b'{"a":' * 50_000,
        b'{"a":' * 17 + b"1" + b"}" * 17,
        b'{"a":' + b"[" * 16 + b"]" * 16 + b"}",
    ],
)
def test_json_that_is_not_strict_is_refused(raw: bytes) -> None:
    """standards 62: UTF-8 only, and nothing beyond the grammar or the depth."""
    with pytest.raises(VerificationError, match=r"^format:"):
        strict_json.decode_object(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b' { "a" : "x:y" } ',
        b'{"a":"\\u003a","b":"\\""}',
        b'{"a":123456789012345678901234567890}',
        b'{"a":{"a":1}}',
        b'{"a":"\\\\u0000"}',
    ],
)
def test_good_json_is_taken_however_it_is_written(raw: bytes) -> None:
    assert strict_json.decode_object(raw) == json.loads(raw)


def test_json_at_the_greatest_depth_is_taken() -> None:
    assert strict_json.decode_object(b'{"a":' * 16 + b"1" + b"}" * 16)


@pytest.mark.parametrize("raw", [b"", b"a", b"ab", b"abc", b"\xff\xfe\xfd\xfc", bytes(range(256))])
def test_base64url_round_trip(raw: bytes) -> None:
    assert decode(encode(raw)) == raw


@pytest.mark.parametrize(
    "text",
    [
        b"A",
        b"AAAAA",
        b"AA=",
        b"AA==",
        b"A+AA",
        b"A/AA",
        b"AA AA",
        b"AAAA\n",
        b"\nAAAA",
        b"AB",
        b"AAB",
        b"AA.A",
        b"\xc3\xa9AA",
    ],
)
def test_base64url_that_is_not_canonical_is_refused(text: bytes) -> None:
    """standards 54: any other character is a refusal, and one value has one text."""
    with pytest.raises(VerificationError, match=r"^format:"):
        decode(text)
