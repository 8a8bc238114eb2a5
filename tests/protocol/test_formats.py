"""Opaque secrets, metadata, challenges, URIs and the credential file."""

from __future__ import annotations

import json
import string
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import challenges, metadata, token_format, uri
from ostiary.protocol.credential import API as API_KIND
from ostiary.protocol.credential import CLIENT as CLIENT_KIND
from ostiary.protocol.credential import Credential
from tests.protocol.keys import API, CLIENT, ISSUER, signing_key

FIXED = token_format.generate("at", "0aZ9bC", random=lambda count: bytes(range(count)))


def test_opaque_secret_has_its_documented_form() -> None:
    """standards 118: 256 random bits."""
    assert FIXED.startswith("ost_at_0aZ9bC_")
    assert len(FIXED) == token_format.LENGTH == 63
    assert token_format.parse(FIXED) == ("at", "0aZ9bC")
    assert token_format.looks_like(FIXED)
    assert not token_format.looks_like("eyJhbGciOi")


@given(st.binary(min_size=32, max_size=32))
def test_a_secret_is_its_number_in_base_62_and_its_checksum_that_of_the_text(drawn: bytes) -> None:
    token = token_format.generate("at", "0aZ9bC", random=lambda _: drawn)
    digits = string.digits + string.ascii_uppercase + string.ascii_lowercase

    def number(text: str) -> int:
        return sum(digits.index(digit) * 62**place for place, digit in enumerate(reversed(text)))

    assert number(token[14:57]) == int.from_bytes(drawn, "big")
    assert number(token[57:]) == zlib.crc32(token[:57].encode())


@pytest.mark.parametrize("fill", [0, 255])
def test_smallest_and_largest_secret_have_one_length(fill: int) -> None:
    token = token_format.generate("rt", "000000", random=lambda count: bytes([fill]) * count)
    assert len(token) == token_format.LENGTH
    assert token_format.parse(token).kind == "rt"


def test_secrets_differ_and_hash_to_32_octets() -> None:
    made = {token_format.generate("ak", token_format.new_installation()) for _ in range(50)}
    assert len(made) == len({token_format.digest(token) for token in made}) == 50
    assert {len(token_format.digest(token)) for token in made} == {32}


@pytest.mark.parametrize("place", range(len(FIXED)))
def test_every_change_of_one_character_is_caught(place: int) -> None:
    for other in string.ascii_letters + string.digits + "_- é\n":
        if other != FIXED[place]:
            with pytest.raises(VerificationError, match=r"^format:"):
                token_format.parse(FIXED[:place] + other + FIXED[place + 1 :])


@pytest.mark.parametrize("token", ["", FIXED[:-1], FIXED + "0", FIXED + "\n", " " + FIXED, FIXED.upper()])
def test_secret_of_another_length_or_form_is_refused(token: str) -> None:
    with pytest.raises(VerificationError, match=r"^format:"):
        token_format.parse(token)


def test_scanner_finds_a_secret_in_any_text() -> None:
    assert token_format.PATTERN.findall(f'key = "{FIXED}", x{FIXED}x, {FIXED}') == [FIXED, FIXED]


@pytest.mark.parametrize(
    ("kind", "installation"), [("AT", "000000"), ("a", "000000"), ("at", "00000"), ("at", "00000_")]
)
def test_unfit_kind_or_installation_cannot_be_made(kind: str, installation: str) -> None:
    with pytest.raises(ConfigurationError):
        token_format.generate(kind, installation)


def test_metadata_is_looked_for_in_the_three_known_places() -> None:
    assert metadata.well_known_urls("https://a.example/t/1") == (
        "https://a.example/.well-known/oauth-authorization-server/t/1",
        "https://a.example/.well-known/openid-configuration/t/1",
        "https://a.example/t/1/.well-known/openid-configuration",
    )
    assert (
        metadata.well_known_urls("https://a.example/").oauth
        == "https://a.example/.well-known/oauth-authorization-server"
    )
    expected = "https://a.example/.well-known/oauth-protected-resource/x?y=1"
    assert metadata.protected_resource_url("https://a.example/x?y=1") == expected


@pytest.mark.parametrize("issuer", [ISSUER + "/", ISSUER.upper(), "https://evil.example", None, [ISSUER]])
def test_metadata_of_another_issuer_is_refused(issuer: object) -> None:
    """standards 98."""
    assert metadata.parse_authorization_server(json.dumps({"issuer": ISSUER, "x": 1}).encode(), ISSUER).issuer == ISSUER
    with pytest.raises(VerificationError, match=r"^issuer:"):
        metadata.parse_authorization_server(json.dumps({"issuer": issuer}).encode(), ISSUER)
    with pytest.raises(VerificationError, match=r"^issuer:"):
        metadata.check_issuer({}, ISSUER)


def test_metadata_with_an_unfit_member_is_refused() -> None:
    with pytest.raises(VerificationError, match=r"^format:"):
        metadata.parse_authorization_server(json.dumps({"issuer": ISSUER, "token_endpoint": 1}).encode(), ISSUER)


@pytest.mark.parametrize(
    "issuer",
    [
        ISSUER,
        "https://a.example/t",
        "https://a.example:8443",
        "http://localhost:8400",
        "http://127.0.0.1",
        "http://[::1]:1",
    ],
)
def test_issuer_that_can_be_one_is_taken(issuer: str) -> None:
    assert metadata.check_issuer_url(issuer) == issuer


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "auth.example.com",
        "ftp://a.example",
        "http://a.example",
        "http://localhost.evil.example",
        "http://127.0.0.1@evil.example",
        "https://user@a.example",
        "https://a.example/",
        "https://a.example/t/",
        "https://a.example?x",
        "https://a.example#x",
        "https://A.example",
        "https://a.example:443",
        "https://a.example/x/../y",
        "https://a.example/\r\n",
        "https://" + "a" * 3000,
    ],
)
def test_issuer_that_cannot_be_one_is_a_mistake_of_configuration(issuer: str) -> None:
    with pytest.raises(ConfigurationError):
        metadata.check_issuer_url(issuer)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("HTTPS://A.Example:443", "https://a.example/"),
        ("http://a:80/?q#f", "http://a/"),
        ("https://a:8443/x", "https://a:8443/x"),
        ("https://a:/x", "https://a/x"),
        ("https://a/%7euser/%2f%c3%a9", "https://a/~user/%2F%C3%A9"),
        ("https://a/b/./c/../d", "https://a/b/d"),
        ("https://a/../../b", "https://a/b"),
        ("https://a/b/..", "https://a/"),
        ("https://a/%2e%2e/b", "https://a/b"),
        ("https://a//b", "https://a//b"),
        ("https://[0:0::1]/", "https://[::1]/"),
    ],
)
def test_uris_are_normalized_by_syntax_and_scheme(written: str, normal: str) -> None:
    """RFC 3986 6.2.2, 6.2.3."""
    assert uri.normalize(written) == normal


@pytest.mark.parametrize(
    "written",
    [
        "",
        "/x",
        "a",
        "https://",
        "https:///x",
        "https://u@a/",
        "https://a/\\x",
        "https://a/ x",
        "https://a/é",
        "https://a:99999/",
        "https://a/%zz",
        "https://[::1",
        "https://[zz]/",
        "https://a:x/",
        "javascript:1",
        "https://a/\n",
    ],
)
def test_uri_that_is_not_plain_http_is_refused(written: str) -> None:
    with pytest.raises(VerificationError, match=r"^url:"):
        uri.normalize(written)


def test_challenge_holds_its_parameters_and_nothing_injected() -> None:
    value = challenges.bearer(
        error="invalid_token", error_description='a"\r\nSet-Cookie: x\\', scope="a b", trace="tr_1"
    )
    assert value == 'Bearer error="invalid_token", error_description="a???Set-Cookie: x?", scope="a b", trace="tr_1"'
    assert challenges.bearer() == "Bearer"


def test_challenges_are_parsed_in_order() -> None:
    value = 'Basic realm="a, \\"b\\"" , Negotiate abc==, DPoP, Bearer Error=invalid_token,scope = "a b"'
    assert challenges.parse(value) == [
        challenges.Challenge("basic", {"realm": 'a, "b"'}),
        challenges.Challenge("negotiate", {}, "abc=="),
        challenges.Challenge("dpop"),
        challenges.Challenge("bearer", {"error": "invalid_token", "scope": "a b"}),
    ]
    assert challenges.parse("") == []


@pytest.mark.parametrize(
    "value",
    ['Bearer a="1", A="2"', 'Bearer a="1" b="2"', 'Bearer a="1', '"x"', "Bearer a=\x00", "=x", "Bearer " + "a" * 9000],
)
def test_challenge_against_the_grammar_is_refused(value: str) -> None:
    with pytest.raises(VerificationError, match=r"^format:"):
        challenges.parse(value)


@pytest.mark.parametrize(("kind", "audience"), [(CLIENT_KIND, None), (API_KIND, API)])
def test_credential_survives_its_file_and_never_shows_its_key(kind: str, audience: str | None) -> None:
    credential = Credential(kind, ISSUER, CLIENT, signing_key(), audience)
    assert Credential.parse(credential.to_json()) == credential
    assert signing_key().private_jwk()["d"] not in repr(credential) + str(credential)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "other"},
        {"type": CLIENT_KIND},
        {"issuer": "http://evil.example"},
        {"issuer": None},
        {"client_id": ""},
        {"audience": 1},
        {"extra": 1},
        {"private_key": {}},
        {"private_key": "x"},
        {"private_key": dict(signing_key().verification_key.public_jwk())},
        {"private_key": {"d": signing_key().private_jwk()["d"], "kid": "k", "alg": "ES256", "kty": "EC"}},
    ],
    ids=lambda change: " ".join(change),
)
def test_credential_file_with_a_single_fault_is_refused_without_showing_the_key(change: dict[str, object]) -> None:
    good = json.loads(Credential(API_KIND, ISSUER, CLIENT, signing_key(), API).to_json())
    with pytest.raises(ConfigurationError) as refusal:
        Credential.parse(json.dumps({**good, **change}).encode())
    assert signing_key().private_jwk()["d"] not in str(refusal.value)
