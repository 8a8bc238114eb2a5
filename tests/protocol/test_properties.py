"""Any bytes in: a verified object or VerificationError out, never another exception and never a forgery."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import (
    access_token,
    base64url,
    challenges,
    client_assertion,
    client_request_jwt,
    jwk,
    jws,
    next_key,
    strict_json,
    token_format,
    uri,
)
from ostiary.protocol.credential import Credential
from tests.protocol.keys import API, CLIENT, ISSUER, NOW, raw_token, signing_key
from tests.protocol.test_claims import KINDS

KEY = signing_key()
PUBLIC = KEY.verification_key

VERIFIERS: dict[str, Callable[[jws.CompactJws], Any]] = {
    "access token": lambda token: access_token.verify(token, PUBLIC, issuer=ISSUER, audience=API, now=NOW),
    "client assertion": lambda token: client_assertion.verify(token, PUBLIC, client_id=CLIENT, issuer=ISSUER, now=NOW),
    "client request": lambda token: client_request_jwt.verify(
        token, PUBLIC, client_id=CLIENT, audience=API, method="GET", url=f"{API}/orders", now=NOW
    ),
    "next key": lambda token: next_key.verify(token, PUBLIC, client_id=CLIENT, issuer=ISSUER, now=NOW),
}
UNVERIFIED = [
    access_token.unverified_issuer,
    client_assertion.unverified_client_id,
    client_request_jwt.unverified_client_id,
    next_key.unverified_client_id,
]

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
encodable = json_values.filter(lambda value: _encodes(value))


def _encodes(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def outcome(call: Callable[[], Any]) -> Any:
    """What ``call`` returns, or None where it refuses; anything else it raises fails the test."""
    try:
        return call()
    except VerificationError:
        return None


@settings(deadline=None)  # a shared machine may pause
@given(st.binary(max_size=300) | st.text(max_size=300))
@example(b"..")
@example("é.é.é")
@example(b"e30.e30.AA")
def test_any_bytes_are_refused_by_parse(token: bytes | str) -> None:
    assert outcome(lambda: jws.parse(token)) is None


@settings(deadline=None)  # a shared machine may pause
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_header_and_payload_well_signed_give_a_token_or_a_refusal(header: bytes, payload: bytes) -> None:
    token = outcome(lambda: jws.parse(raw_token(header, payload, KEY)))
    for call in (*UNVERIFIED, *VERIFIERS.values()):
        assert token is None or outcome(lambda call=call: call(token)) is None  # type: ignore[misc]


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)  # a shared machine may pause
@given(data=st.data())
def test_good_token_with_one_claim_altered_gives_its_object_or_a_refusal(kind: str, data: st.DataObject) -> None:
    make, _, typ = KINDS[kind]
    claims = make()
    claims[data.draw(st.sampled_from(sorted(claims)) | st.sampled_from(["nbf", "cnf", "amr", "x"]))] = data.draw(
        encodable
    )
    token = jws.parse(raw_token({"alg": "ES256", "typ": typ}, json.dumps(claims, ensure_ascii=False).encode(), KEY))
    taken = outcome(lambda: VERIFIERS[kind](token))
    for call in UNVERIFIED:
        outcome(lambda call=call: call(token))  # type: ignore[misc]
    assert taken is None or (taken.exp > NOW - 10 and isinstance(taken.jti, str))


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)  # a shared machine may pause
@given(data=st.data())
def test_good_token_with_one_character_altered_is_refused(kind: str, data: st.DataObject) -> None:
    make, _, typ = KINDS[kind]
    token = _TOKENS.setdefault(kind, jws.sign(strict_json.encode(make()), KEY, typ=typ))
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(
        st.sampled_from(string.ascii_letters + string.digits + "-_.=+ ").filter(lambda c: c != token[place])
    )
    altered = token[:place] + other + token[place + 1 :]
    assert outcome(lambda: VERIFIERS[kind](jws.parse(altered))) is None


_TOKENS: dict[str, str] = {}


@settings(deadline=None)  # a shared machine may pause
@given(st.binary(max_size=200))
def test_any_signature_but_the_right_one_is_refused_by_every_algorithm(signature: bytes) -> None:
    for alg in ("ES256", "ES384", "ES512", "EdDSA", "PS256", "RS256"):
        with pytest.raises(VerificationError):
            signing_key(alg).verification_key.verify(b"message", signature)


@settings(deadline=None)  # a shared machine may pause
@given(st.binary(max_size=200) | encodable.map(lambda value: json.dumps(value, ensure_ascii=False).encode()))
def test_strict_json_agrees_with_the_standard_library_or_refuses(raw: bytes) -> None:
    members = outcome(lambda: strict_json.decode_object(raw))
    assert members is None or members == json.loads(raw)


@settings(deadline=None)  # a shared machine may pause
@given(st.lists(st.tuples(st.sampled_from(["a", "b", ":", 'a"', "é"]), encodable), max_size=4), st.booleans())
def test_object_is_taken_exactly_if_its_names_differ(pairs: list[tuple[str, object]], escaped: bool) -> None:
    """standards 62: the quick proof that no member was lost is exact, whatever the values hold."""
    written = ",".join(
        f"{json.dumps(k, ensure_ascii=escaped)}: {json.dumps(v, ensure_ascii=escaped)}" for k, v in pairs
    )
    taken = outcome(lambda: strict_json.decode_object(f"{{{written}}}".encode()))
    unique = len({name for name, _ in pairs}) == len(pairs)
    assert (taken is not None) == unique or (taken is None and (_out_of_range(pairs) or _holds_nul(pairs)))


def _holds_nul(pairs: list[tuple[str, object]]) -> bool:
    return "\\u0000" in json.dumps(pairs)


def _out_of_range(pairs: list[tuple[str, object]]) -> bool:
    return len({name for name, _ in pairs}) == len(pairs) and "\\ud" in json.dumps(pairs)


@settings(deadline=None)  # a shared machine may pause
@given(st.binary(max_size=100))
def test_base64url_has_one_text_for_each_value(raw: bytes) -> None:
    decoded = outcome(lambda: base64url.decode(raw))
    assert decoded is None or base64url.encode(decoded) == raw
    assert base64url.decode(base64url.encode(raw)) == raw


@settings(deadline=None)  # a shared machine may pause
@given(st.binary(max_size=300) | encodable.map(lambda value: json.dumps(value).encode()))
def test_any_document_of_keys_is_refused_or_parsed(document: bytes) -> None:
    for parse in (jwk.parse_public_key, jwk.parse_public_keys, jwk.parse_private_key):
        assert not outcome(lambda parse=parse: parse(document))  # type: ignore[misc]


@settings(deadline=None)  # a shared machine may pause
@given(st.data())
def test_jwk_with_one_member_altered_is_parsed_or_refused(data: st.DataObject) -> None:
    alg = data.draw(st.sampled_from(["ES256", "EdDSA", "RS256"]))
    members: dict[str, object] = dict(signing_key(alg).private_jwk())
    members[data.draw(st.sampled_from([*sorted(members), "key_ops", "k", "oth"]))] = data.draw(encodable)
    outcome(lambda: jwk.parse_private_key(members))
    public = {name: value for name, value in members.items() if name not in ("d", "p", "q", "dp", "dq", "qi")}
    outcome(lambda: jwk.parse_public_key(public))


@settings(deadline=None)  # a shared machine may pause
@given(st.text(max_size=80))
def test_any_text_is_no_opaque_token_and_any_uri_is_normalized_once(text: str) -> None:
    assert outcome(lambda: token_format.parse(text)) is None
    assert len(token_format.digest(text)) == 32
    normal = outcome(lambda: uri.normalize("https://a" + text))
    assert normal is None or uri.normalize(normal) == normal


@settings(deadline=None)  # a shared machine may pause
@given(st.text(max_size=80))
def test_any_challenge_is_parsed_or_refused_and_ours_hold_what_they_were_given(text: str) -> None:
    outcome(lambda: challenges.parse(text))
    written = challenges.bearer(realm=text, error="invalid_token", trace="tr_1")
    (challenge,) = challenges.parse(written)
    assert set(challenge.parameters) == {"realm", "error", "trace"}
    assert written.isprintable()
    assert written.isascii()


@settings(deadline=None)  # a shared machine may pause
@given(st.binary(max_size=200) | encodable.map(lambda value: json.dumps(value).encode()))
def test_any_credential_file_is_refused_as_configuration(document: bytes) -> None:
    with pytest.raises(ConfigurationError):
        Credential.parse(document)
