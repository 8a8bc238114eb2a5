"""The known attacks on JOSE, each with the one fault that makes it an attack."""

from __future__ import annotations

import hashlib
import hmac
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from joserfc import jwe
from joserfc import jwk as other_jwk

from ostiary.errors import VerificationError
from ostiary.protocol import base64url, jwk, jws
from ostiary.protocol.jwk import SigningKey
from tests.protocol.keys import raw_token, signing_key

PAYLOAD = b'{"iss":"https://auth.example.com"}'
DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM
SPKI, PKCS1 = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1


def take(token: str | bytes, key: SigningKey | None = None) -> bytes:
    return jws.verify(jws.parse(token), (key or signing_key()).verification_key)


def encodings_of(key: SigningKey) -> Iterator[bytes]:
    public: Any = key._private.public_key()
    forms = [(PEM, SPKI), (DER, SPKI)] + ([(PEM, PKCS1), (DER, PKCS1)] if key.alg == "RS256" else [])
    for encoding, form in forms:
        yield public.public_bytes(encoding, form)
    yield json.dumps(key.verification_key.public_jwk()).encode()
    yield b""


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("prefix", [b"", b"\n", b" ", b"\xef\xbb\xbf"])
def test_public_key_never_serves_as_an_hmac_secret(alg: str, prefix: bytes) -> None:
    """attack 1, attack 4, standards 50 and 55."""
    key = signing_key(alg)
    assert take(raw_token({"alg": alg}, PAYLOAD, key), key) == PAYLOAD
    for secret in encodings_of(key):
        for name, digest in (("HS256", hashlib.sha256), ("HS512", hashlib.sha512), (alg, hashlib.sha256)):
            signing_input = base64url.encode(json.dumps({"alg": name}).encode()) + b"." + base64url.encode(PAYLOAD)
            tag = hmac.new(prefix + secret, signing_input, digest).digest()
            with pytest.raises(VerificationError):
                take(signing_input + b"." + base64url.encode(tag), key)


@pytest.mark.parametrize(
    "alg", ["none", "None", "nOnE", "noNE", "NONE", "", "HS256", "es256", "ES256 ", "RSA1_5", "ES256K", 0]
)
def test_algorithm_outside_the_allowlist_is_refused_by_exact_case(alg: object) -> None:
    """attack 2, standards 51 and 61: the signature is good, only the name is not."""
    with pytest.raises(VerificationError, match=r"^algorithm:"):
        take(raw_token({"alg": alg}, PAYLOAD, signing_key()))


@pytest.mark.parametrize("alg", ["none", "ES256"])
def test_blank_signature_is_refused(alg: str) -> None:
    """attack 2."""
    head = base64url.encode(json.dumps({"alg": alg}).encode()) + b"." + base64url.encode(PAYLOAD)
    for token in (head + b".", head):
        with pytest.raises(VerificationError, match=r"^format:"):
            take(token)


@pytest.mark.parametrize(
    ("of_key", "in_header"), [("PS256", "RS256"), ("RS256", "PS256"), ("EdDSA", "Ed25519"), ("Ed25519", "EdDSA")]
)
def test_algorithm_of_the_header_must_be_that_of_the_key_both_ways(of_key: str, in_header: str) -> None:
    """attack 3, standards 50: the signature would verify under the header's algorithm, but the key has another."""
    key = signing_key(of_key)
    twin = jwk.parse_private_key({**key.private_jwk(), "alg": in_header})
    token = raw_token({"alg": in_header}, PAYLOAD, twin)
    assert take(token, twin) == PAYLOAD
    with pytest.raises(VerificationError, match=r"^algorithm:"):
        take(token, key)


def test_key_in_the_header_is_never_trusted() -> None:
    """attack 6, standards 53: self-signed with an embedded jwk."""
    attacker = signing_key("ES256", 1)
    header = {"alg": "ES256", "kid": signing_key().kid, "jwk": attacker.verification_key.public_jwk()}
    with pytest.raises(VerificationError, match=r"^signature:"):
        take(raw_token(header, PAYLOAD, attacker))
    assert take(raw_token(header, PAYLOAD, signing_key())) == PAYLOAD


@pytest.mark.parametrize("name", ["jku", "x5u", "x5c"])
def test_addresses_in_the_header_are_never_followed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """attack 7, standards 53: no socket is opened, and the header changes nothing."""
    monkeypatch.setattr("socket.socket", lambda *_, **__: pytest.fail("a connection was tried"))
    header = {"alg": "ES256", name: "https://127.0.0.1:1/keys.json"}
    assert take(raw_token(header, PAYLOAD, signing_key())) == PAYLOAD
    with pytest.raises(VerificationError, match=r"^signature:"):
        take(raw_token(header, PAYLOAD, signing_key("ES256", 1)))


@pytest.mark.parametrize("kid", ["../../dev/null", "' UNION SELECT 'AA", "a\tb", "https://evil.example/k", "*)(uid=*"])
def test_kid_is_an_opaque_name(kid: str) -> None:
    """attack 8, standards 59: it is carried as it is and opens nothing."""
    assert jws.parse(raw_token({"alg": "ES256", "kid": kid}, PAYLOAD, signing_key())).header.kid == kid


def test_a_kid_that_holds_nul_is_refused() -> None:
    """attack 8: PostgreSQL keeps no such text."""
    with pytest.raises(VerificationError, match=r"^format:"):
        jws.parse(raw_token({"alg": "ES256", "kid": "a\x00b"}, PAYLOAD, signing_key()))


def test_overlong_kid_is_refused() -> None:
    """attack 8."""
    assert jws.parse(raw_token({"alg": "ES256", "kid": "k" * 256}, PAYLOAD, signing_key()))
    for length in (257, 10_240):
        with pytest.raises(VerificationError, match=r"^key:"):
            jws.parse(raw_token({"alg": "ES256", "kid": "k" * length}, PAYLOAD, signing_key()))


@pytest.mark.parametrize(
    "extension",
    [
        {"crit": ["bork"], "bork": 1},
        {"crit": []},
        {"crit": ["exp"], "exp": 1},
        {"crit": None},
        {"crit": "b64"},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"b64": True},
        {"zip": "DEF"},
    ],
)
def test_extension_in_the_header_is_refused(extension: dict[str, object]) -> None:
    """attack 9, standards 52 and 57."""
    with pytest.raises(VerificationError, match=r"^header:"):
        take(raw_token({"alg": "ES256", **extension}, PAYLOAD, signing_key()))


@pytest.mark.parametrize("signatures", ["flattened", "general", "none"])
def test_json_serialization_is_refused(signatures: str) -> None:
    """attack 10, standards 54."""
    protected, payload, signature = raw_token({"alg": "ES256"}, PAYLOAD, signing_key()).split(".")
    parts = {"protected": protected, "signature": signature}
    several = {"general": [parts], "none": []}
    rest: dict[str, object] = {**parts} if signatures == "flattened" else {"signatures": several[signatures]}
    document = {"payload": payload, **rest}
    with pytest.raises(VerificationError, match=r"^format:"):
        take(json.dumps(document))


@pytest.mark.parametrize("mark", ["=", " ", "\n", "\t", "+", "/", "\x00", "é", "%", "."])
@pytest.mark.parametrize("place", ["before", "header", "payload", "signature"])
def test_any_other_character_is_refused(mark: str, place: str) -> None:
    """standards 54: the signature may be good, the text is not."""
    header, payload, signature = raw_token({"alg": "ES256"}, PAYLOAD, signing_key()).split(".")
    token = {
        "before": f"{mark}{header}.{payload}.{signature}",
        "header": f"{header}{mark}.{payload}.{signature}",
        "payload": f"{header}.{payload}{mark}.{signature}",
        "signature": f"{header}.{payload}.{signature}{mark}",
    }[place]
    with pytest.raises(VerificationError, match=r"^format:"):
        take(token)


def test_billion_hashes_are_refused_before_any_derivation(monkeypatch: pytest.MonkeyPatch) -> None:
    """attack 11, standards 57."""
    monkeypatch.setattr("hashlib.pbkdf2_hmac", lambda *_, **__: pytest.fail("a derivation was tried"))
    header = {"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2**31, "p2s": "AAAA"}
    with pytest.raises(VerificationError):
        jws.parse(raw_token(header, PAYLOAD, signing_key()))


def test_compressed_payload_is_never_inflated(monkeypatch: pytest.MonkeyPatch) -> None:
    """attack 12, standards 57."""
    monkeypatch.setattr("zlib.decompress", lambda *_, **__: pytest.fail("inflated"))
    monkeypatch.setattr("zlib.decompressobj", lambda *_, **__: pytest.fail("inflated"))
    bomb = zlib.compress(bytes(1_000_000))
    with pytest.raises(VerificationError, match=r"^header:"):
        take(raw_token({"alg": "ES256", "zip": "DEF"}, bomb, signing_key()))


def test_megabyte_of_header_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """attack 13, standards 58."""
    token = raw_token({"alg": "ES256", "x": "a" * 1_000_000}, PAYLOAD, signing_key())
    monkeypatch.setattr("ostiary.protocol.base64url.decode", lambda text: pytest.fail("decoded"))
    with pytest.raises(VerificationError, match=r"^format:"):
        jws.parse(token)


def test_token_encrypted_to_our_public_key_is_not_taken_for_a_signed_one() -> None:
    """attack 14, standards 56."""
    members: dict[str, Any] = dict(signing_key("RS256").verification_key.public_jwk())
    del members["use"], members["alg"]
    header = {"alg": "RSA-OAEP", "enc": "A128GCM"}
    token = jwe.encrypt_compact(header, PAYLOAD, other_jwk.import_key(members))
    assert token.count(".") == 4
    with pytest.raises(VerificationError, match=r"^format:"):
        take(token, signing_key("RS256"))


def test_signature_by_another_key_of_the_same_kind_is_refused() -> None:
    with pytest.raises(VerificationError, match=r"^signature:"):
        take(raw_token({"alg": "ES256", "kid": signing_key().kid}, PAYLOAD, signing_key("ES256", 1)))
