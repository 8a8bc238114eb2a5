"""Reading refusals: Retry-After, the API's challenge, and the client's next key."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.client import answers, read_refusal
from ostiary.client.assertion import ClientProof
from ostiary.client.authorization_server import AuthorizationServerCalls
from ostiary.client.exchange import Answer, Question, Shell
from ostiary.client.next_key import register_next_key
from ostiary.client.refusal import ApiRefusal
from ostiary.client.token_request import parse_token
from ostiary.errors import OstiaryError, VerificationError
from ostiary.protocol import credential, jws, next_key
from ostiary.protocol.credential import Credential
from ostiary.protocol.jwk import SigningKey
from tests.client.conftest import CLIENT_ID, TurnedClock
from tests.client.http_server import Received, Reply
from tests.client.oracle import AuthorizationServer, reply_json

QUESTION = Question("https://auth.example.com/token", "token endpoint")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30),
        ("0", 1),
        ("999999999999", 300),
        ("-5", 1),
        ("soon", 1),
        ("", 1),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 1),
        ("Fri, 31 Dec 2999 23:59:59 GMT", 300),
        ("٣", 1),
    ],
)
def test_retry_after_is_read_within_bounds(value: str, seconds: int) -> None:
    assert answers.retry_after(Answer(503, {"retry-after": value}, b"")) == seconds


@given(st.integers(100, 599), st.binary(max_size=200), st.text(max_size=20))
def test_any_answer_is_an_object_or_an_error_of_ours(status: int, body: bytes, retry: str) -> None:
    try:
        found = answers.read_object(QUESTION, Answer(status, {"retry-after": retry}, body))
    except OstiaryError:
        return
    assert isinstance(found, dict)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
)


@given(st.fixed_dictionaries({}, optional={"access_token": _JSON, "token_type": _JSON, "expires_in": _JSON}))
def test_any_members_are_a_token_or_an_error_of_ours(members: dict[str, object]) -> None:
    try:
        token = parse_token(QUESTION, members, asked_at=0)
    except VerificationError:
        return
    assert token.value


def test_reason_of_an_api_is_read() -> None:
    value = 'Bearer error="insufficient_scope", error_description="too little", scope="orders:write", trace="tr_1"'
    assert read_refusal(["Negotiate", value]) == ApiRefusal("insufficient_scope", "too little", "orders:write", "tr_1")


@pytest.mark.parametrize("value", ["", "Basic realm=x", 'Bearer error="', "\x00"])
def test_header_without_a_reason_gives_none(value: str) -> None:
    assert read_refusal([value]) is None


@given(st.text(max_size=300))
def test_any_header_is_a_reason_or_none(value: str) -> None:
    found = read_refusal([value])
    assert found is None or isinstance(found, ApiRefusal)


def test_next_key_is_registered_by_the_present_one(
    authorization_server: AuthorizationServer, key: SigningKey, clock: TurnedClock
) -> None:
    issuer = authorization_server.issuer
    authorization_server.server.routes["/client-keys/next"] = lambda _: Reply(201)
    own, new = Credential(credential.CLIENT, issuer, CLIENT_ID, key), SigningKey.generate("ES256")
    Shell().run(register_next_key(own, new, clock=clock))
    received = authorization_server.server.of("/client-keys/next")[0]
    token = jws.parse(received.form()["next_key"][0])
    found = next_key.verify(token, key.verification_key, client_id=CLIENT_ID, issuer=issuer, now=clock.now)
    assert found.key.thumbprint == new.verification_key.thumbprint
    assert authorization_server.proven(received)
    assert new.private_jwk()["d"] not in received.body.decode()


@pytest.mark.parametrize("active", [True, False])
def test_introspection_and_revocation_are_authenticated(
    active: bool, authorization_server: AuthorizationServer, key: SigningKey, clock: TurnedClock
) -> None:
    proven: list[bool] = []

    def answer(received: Received) -> Reply:
        proven.append(authorization_server.proven(received) and received.form()["token"] == ["ost_token"])
        return reply_json({"active": active}) if received.path == "/introspect" else Reply(200)

    authorization_server.server.routes |= {"/introspect": answer, "/revoke": answer}
    own = Credential(credential.CLIENT, authorization_server.issuer, CLIENT_ID, key)
    calls = AuthorizationServerCalls(ClientProof(own, clock=clock))
    assert Shell().run(calls.introspect("ost_token")) == {"active": active}
    Shell().run(calls.revoke("ost_token"))
    assert proven == [True, True]


def test_introspection_without_active_is_no_answer(
    authorization_server: AuthorizationServer, key: SigningKey, clock: TurnedClock
) -> None:
    authorization_server.server.routes["/introspect"] = lambda _: Reply(200, json.dumps({"active": "yes"}).encode())
    own = Credential(credential.CLIENT, authorization_server.issuer, CLIENT_ID, key)
    with pytest.raises(VerificationError):
        Shell().run(AuthorizationServerCalls(ClientProof(own, clock=clock)).introspect("ost_token"))
