"""Tokens that are not what they seem, at the door of an API: attacks 1, 2, 3, 6, 7, 8, 9, 10, 12, 13, 14."""

from __future__ import annotations

import base64
import hmac
import json
import os
import threading
import tracemalloc
import zlib
from collections.abc import Iterator, Mapping
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography.hazmat.primitives import serialization
from joserfc import jwe
from joserfc.jwk import ECKey

from ostiary.protocol.jwk import SigningKey
from ostiary.resource_server import ResourceServer
from tests.resource_server.conftest import clock, issuer, world
from tests.resource_server.world import DIRECT, World, bearer, failed_check, request

__all__ = ["clock", "issuer", "world"]


def encoded(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(world: World, header: Mapping[str, object], key: SigningKey | None = None) -> str:
    """A token of good claims under ``header``, truly signed by the issuer's key unless another one is given."""
    signing_input = f"{encoded(header)}.{encoded(world.claims())}"
    signature = (key or world.issuer.key).sign(signing_input.encode())
    return f"{signing_input}.{encoded(signature)}"


def refused_everywhere(world: World, token: str) -> list[str]:
    """The failed checks at both entries for credentials; fails if one admits or answers anything but 400 or 401."""
    guard = world.guard(direct=True)
    checks = []
    for asked in (bearer(token), request((DIRECT, token))):
        refused, record = world.refusal(guard, asked)
        assert refused.status in (400, 401)
        checks.append(failed_check(record))
    return checks


def public_encodings(key: SigningKey) -> list[bytes]:
    """Every way in which somebody could take the public key for a shared secret."""
    jwk = key.verification_key.public_jwk()
    public = ECKey.import_key(dict(jwk)).public_key
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    point = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    plain = [pem, der, point, json.dumps(jwk).encode(), jwk["x"].encode(), b""]
    return [*plain, b"\xef\xbb\xbf" + pem, b"\n " + pem, pem.strip()]


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_a_public_key_is_never_a_shared_secret(world: World, alg: str) -> None:
    """attack 1, attack 4, standards 55."""
    for secret in public_encodings(world.issuer.key):
        header = {"alg": alg, "typ": "at+jwt", "kid": world.issuer.key.kid}
        signing_input = f"{encoded(header)}.{encoded(world.claims())}"
        digest = "sha" + alg[2:]
        token = f"{signing_input}.{encoded(hmac.digest(secret or b'', signing_input.encode(), digest))}"
        assert refused_everywhere(world, token) == ["algorithm", "algorithm"]


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "NONE", "es256", "ES256 ", "", None, 7, ["ES256"]])
def test_no_spelling_of_none_and_no_other_case_is_an_algorithm(world: World, alg: object) -> None:
    """attack 2, standards 51, standards 61."""
    header: dict[str, object] = {"alg": alg, "typ": "at+jwt", "kid": world.issuer.key.kid}
    if alg is None:
        del header["alg"]
    assert refused_everywhere(world, signed(world, header)) == ["algorithm", "algorithm"]


@pytest.mark.parametrize("alg", ["none", "ES256"])
def test_a_blank_signature_is_refused(world: World, alg: str) -> None:
    """attack 2."""
    header = {"alg": alg, "typ": "at+jwt", "kid": world.issuer.key.kid}
    token = f"{encoded(header)}.{encoded(world.claims())}."
    assert set(refused_everywhere(world, token)) <= {"format", "algorithm"}


def test_the_header_does_not_choose_another_algorithm_of_the_key(world: World) -> None:
    """attack 3, standards 50."""
    for alg in ("ES384", "EdDSA", "RS256", "PS256"):
        header = {"alg": alg, "typ": "at+jwt", "kid": world.issuer.key.kid}
        _, record = world.refusal(world.guard(), bearer(signed(world, header)))
        assert failed_check(record) == "algorithm"


def test_a_key_in_the_header_is_never_trusted(world: World) -> None:
    """attack 6, standards 53."""
    own = SigningKey.generate("ES256", kid=world.issuer.key.kid)
    header = {"alg": "ES256", "typ": "at+jwt", "kid": own.kid, "jwk": own.verification_key.public_jwk()}
    assert failed_check(world.refusal(world.guard(), bearer(signed(world, header, own)))[1]) == "signature"
    stranger = SigningKey.generate("ES256")
    header = {"alg": "ES256", "typ": "at+jwt", "kid": stranger.kid, "jwk": stranger.verification_key.public_jwk()}
    assert failed_check(world.refusal(world.guard(), bearer(signed(world, header, stranger)))[1]) == "key"


class Canary:
    """A listener that should hear nothing."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                heard.append(self.path)
                self.send_error(404)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def canary() -> Iterator[Canary]:
    bird = Canary()
    thread = threading.Thread(target=bird.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield bird
    bird.server.shutdown()
    bird.server.server_close()


def test_no_url_in_a_token_is_ever_fetched(world: World, canary: Canary) -> None:
    """attack 7, attack 8, standards 53, standards 59."""
    stranger = SigningKey.generate("ES256")
    urls = {"jku": f"{canary.url}/jku", "x5u": f"{canary.url}/x5u", "x5c": ["AA=="]}
    for kid in (stranger.kid, f"{canary.url}/kid"):
        header = {"alg": "ES256", "typ": "at+jwt", "kid": kid, **urls}
        refused_everywhere(world, signed(world, header, stranger))
    world.refusal(world.guard(), bearer(world.token(iss=canary.url, key=stranger)))
    assert canary.heard == []


@pytest.mark.parametrize(
    "kid", ["../../dev/null", "' UNION SELECT 'x", "k" * 10_000, "a\tb", "", 7, None, {"a": 1}, "*)(uid=*"]
)
def test_a_kid_is_only_a_name(world: World, kid: object) -> None:
    """attack 8, standards 59."""
    header = {"alg": "ES256", "typ": "at+jwt", "kid": kid}
    assert failed_check(world.refusal(world.guard(), bearer(signed(world, header)))[1]) == "key"


@pytest.mark.parametrize(
    "extra", [{"crit": ["bork"], "bork": 1}, {"crit": []}, {"crit": ["b64"], "b64": False}, {"b64": False}]
)
def test_extensions_that_we_do_not_have_are_refused(world: World, extra: dict[str, object]) -> None:
    """attack 9, standards 52."""
    header = {"alg": "ES256", "typ": "at+jwt", "kid": world.issuer.key.kid, **extra}
    assert refused_everywhere(world, signed(world, header)) == ["header", "header"]


def test_json_serializations_are_refused(world: World) -> None:
    """attack 10, standards 54."""
    protected, payload, signature = world.token().split(".")
    flattened = {"protected": protected, "payload": payload, "signature": signature}
    general = {"payload": payload, "signatures": [{"protected": protected, "signature": signature}]}
    for form in (flattened, general, {"payload": payload}, {"payload": payload, "signatures": []}):
        for text in (json.dumps(form), encoded(form)):
            assert set(refused_everywhere(world, text)) <= {"format", "request"}


def encrypted(world: World, plaintext: bytes, **header: object) -> str:
    """A JWE to the issuer's own public key."""
    recipient = ECKey.import_key({**world.issuer.key.verification_key.public_jwk(), "use": "enc", "alg": "ECDH-ES"})
    protected = {"alg": "ECDH-ES", "enc": "A256GCM", "typ": "at+jwt", "kid": world.issuer.key.kid, **header}
    return jwe.encrypt_compact(protected, plaintext, recipient)


def test_an_encrypted_token_is_not_a_signed_one(world: World) -> None:
    """attack 14, standards 56."""
    for plaintext in (json.dumps(world.claims()).encode(), world.token().encode()):
        assert refused_everywhere(world, encrypted(world, plaintext)) == ["format", "format"]


def test_a_bomb_is_not_inflated(world: World) -> None:
    """attack 12, standards 57."""
    bomb = zlib.compress(b"\0" * 100_000_000, 9)
    header = {"alg": "ES256", "typ": "at+jwt", "kid": world.issuer.key.kid, "zip": "DEF"}
    signing_input = f"{encoded(header)}.{encoded(bomb[:8000])}"
    token = f"{signing_input}.{encoded(world.issuer.key.sign(signing_input.encode()))}"
    guard = world.guard()
    world.refusal(guard, bearer(world.token(aud="https://other.example.com")))
    tracemalloc.start()
    try:
        for each in (token, f"{encoded(header)}..{encoded(os.urandom(12))}.{encoded(bomb)}.{encoded(os.urandom(16))}"):
            assert failed_check(world.refusal(guard, bearer(each))[1]) in ("format", "header")
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_part_of_a_megabyte_is_refused_before_it_is_decoded(world: World, part: int) -> None:
    """attack 13, standards 58."""
    parts = world.token().split(".")
    parts[part] = parts[part][:4] + "A" * 1_000_000
    assert refused_everywhere(world, ".".join(parts)) == ["format", "format"]


def test_password_based_encryption_costs_nothing(world: World) -> None:
    """attack 11, standards 57."""
    header = {"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2**31, "p2s": "AAAA", "kid": world.issuer.key.kid}
    token = ".".join((encoded(header), "AA", "AA", "AA", "AA"))
    assert refused_everywhere(world, token) == ["format", "format"]


def test_double_members_are_refused(world: World) -> None:
    """standards 62."""
    claims = json.dumps(world.claims())
    doubled = claims[:-1] + ', "aud": "https://orders.example.com"}'
    header = {"alg": "ES256", "typ": "at+jwt", "kid": world.issuer.key.kid}
    signing_input = f"{encoded(header)}.{encoded(doubled.encode())}"
    token = f"{signing_input}.{encoded(world.issuer.key.sign(signing_input.encode()))}"
    assert failed_check(world.refusal(world.guard(), bearer(token))[1]) == "format"


def test_signatures_of_zeros_are_refused(world: World) -> None:
    """attack 5, standards 63."""
    head, payload, _ = world.token().split(".")
    for signature in (b"\0" * 64, b"\0" * 63 + b"\1", b"\xff" * 64, b""):
        assert set(refused_everywhere(world, f"{head}.{payload}.{encoded(signature)}")) <= {
            "signature",
            "key",
            "format",
            "type",
        }


def test_a_token_for_one_api_is_refused_by_another(world: World) -> None:
    """attack 17."""
    token = world.token()
    guard: ResourceServer = world.guard()
    assert guard.check_sync(bearer(token))
    other = world.guard(audience="https://billing.example.com")
    assert failed_check(world.refusal(other, bearer(token))[1]) == "audience"
    assert sha256(token.encode()).digest() not in other.verifier.cache.digests()
