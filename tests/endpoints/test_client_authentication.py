"""Each check of ``private_key_jwt``: one request in which only that check fails, and the check's name in its trace."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ostiary.authorization_server.client_authentication import decoys
from ostiary.protocol.jwk import SigningKey
from ostiary.revocation import Act, retire_client_key, revoke_client_key
from tests.authorization_server.world import ISSUER, NOW, ORDERS, Answer, World, client_key, signing_key

ACT = Act("cli", NOW)


def refused_by(world: World, answer: Answer, check: str, code: str = "invalid_client", status: int = 401) -> None:
    """The answer is that refusal, and its trace, audit event and counter name the check."""
    assert (answer.status, answer.json["error"]) == (status, code), answer.body
    trace = world.trace(answer)
    assert (trace.checks[-1].name, trace.checks[-1].passed) == (check, False), trace
    assert all(passed.passed for passed in trace.checks[:-1])
    assert [row.reason for row in world.audit() if row.trace_id == trace.trace_id] == [check]
    assert world.events[-1] == ("refused", {"endpoint": trace.kind, "check": check})


def test_a_good_assertion_is_accepted(world: World) -> None:
    assert world.token(assertion=world.assertion()).status == 200


@pytest.mark.parametrize("typ", ["JWT", "jwt", "client-authentication+jwt", "application/client-authentication+jwt"])
def test_the_usual_types_are_accepted(world: World, typ: str) -> None:
    """standards 3"""
    assert world.token(assertion=world.assertion(typ=typ)).status == 200


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"aud": "https://other.example.com"}, "audience"),
        ({"aud": None}, "audience"),
        ({"iss": "other"}, "subject"),
        ({"sub": "other"}, "subject"),
        ({"sub": None}, "subject"),
        ({"exp": None}, "expiry"),
        ({"exp": int(NOW) - 10}, "expiry"),
        ({"exp": "soon"}, "expiry"),
        ({"exp": int(NOW) + 320}, "lifetime"),
        ({"iat": int(NOW) + 61}, "issued_at"),
        ({"nbf": int(NOW) + 61}, "not_before"),
        ({"iat": int(NOW) - 320}, "lifetime"),
        ({"jti": None}, "jti"),
        ({"jti": 7}, "jti"),
        ({"jti": "x" * 300}, "jti"),
        ({"typ": "at+jwt"}, "type"),
        ({"typ": "dpop+jwt"}, "type"),
        ({"typ": "ostiary-next-key+jwt"}, "type"),
    ],
)
def test_one_false_claim_is_refused(world: World, changes: dict[str, Any], check: str) -> None:
    """standards 1, 3, 5, 6, 7"""
    refused_by(world, world.token(assertion=world.assertion(**changes)), check)


@pytest.mark.parametrize("changes", [{"iat": int(NOW) + 8}, {"nbf": int(NOW) + 8}, {"exp": int(NOW) - 5}])
def test_clocks_may_differ_a_little(world: World, changes: dict[str, Any]) -> None:
    """standards 7"""
    assert world.token(assertion=world.assertion(**changes)).status == 200


def test_another_key_under_the_kid_of_the_client_is_refused(world: World) -> None:
    foreign = SigningKey.generate("ES256", kid="shop-1")
    refused_by(world, world.token(assertion=world.assertion(key=foreign)), "signature")


def test_the_key_of_another_client_proves_nothing(world: World) -> None:
    """standards 50: the key must belong to the client that is claimed."""
    refused_by(world, world.token(assertion=world.assertion("shop", key=signing_key("other-1"))), "key")


def test_another_algorithm_than_the_key_is_registered_for_is_refused(world: World) -> None:
    """standards 50"""
    foreign = SigningKey.generate("ES384", kid="shop-1")
    refused_by(world, world.token(assertion=world.assertion(key=foreign)), "algorithm")


def test_unknown_client_and_wrong_key_get_the_same_answer(world: World) -> None:
    answers = [
        world.token(assertion=world.assertion("nobody")),
        world.token(assertion=world.assertion("shop", key=SigningKey.generate("ES256", kid="shop-1"))),
        world.token(assertion=world.assertion("shop", key=SigningKey.generate("ES256", kid="no-such-kid"))),
        world.token(assertion=world.assertion("shop", key=SigningKey.generate("EdDSA", kid="shop-1"))),
    ]
    told = [(answer.status, {**answer.json, "trace": ""}, sorted(answer.headers)) for answer in answers]
    assert all(one == told[0] for one in told)


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "EdDSA", "Ed25519", "PS256", "PS384", "RS256"])
def test_an_unknown_client_costs_a_verification_of_its_algorithm(world: World, alg: str) -> None:
    refused_by(world, world.token(assertion=world.assertion("nobody", key=signing_key(f"nobody-{alg}", alg))), "client")


@pytest.mark.parametrize("kid", ["../../etc/passwd", "' OR 1=1 --", "http://169.254.169.254/", "*", "%00", "shop-1\n"])
def test_a_kid_is_an_opaque_name(world: World, kid: str) -> None:
    """standards 59"""
    foreign = SigningKey.from_pkcs8(signing_key("shop-1").to_pkcs8(), "ES256", kid)
    refused_by(world, world.token(assertion=world.assertion(key=foreign)), "key")


def test_a_key_in_the_header_of_the_assertion_is_not_looked_at(world: World) -> None:
    """standards 53"""
    from ostiary.protocol import client_assertion, jws

    foreign = SigningKey.generate("ES256", kid="shop-1")
    payload = client_assertion.build("shop", ISSUER, now=NOW, jti="one")
    header = {"jwk": foreign.verification_key.public_jwk(), "jku": "https://evil.example.com/jwks"}
    assertion = jws.sign(payload, foreign, typ=client_assertion.TYP, header=header)
    refused_by(world, world.token(assertion=assertion), "signature")


def test_a_disabled_client_is_refused(world: World) -> None:
    world.add_client("gone", state="disabled")
    refused_by(world, world.token("gone"), "client")


def test_a_client_registered_for_another_method_is_refused(world: World) -> None:
    """A client's registered method, never a guess."""
    world.add_client("mtls", authentication_method="tls_client_auth")
    refused_by(world, world.token("mtls"), "client")


@pytest.mark.parametrize(
    "changes",
    [
        {"not_before": int(NOW) + 5},
        {"expires_at": int(NOW)},
        {"state": "retired"},
        {"state": "revoked"},
        {"parent": "a-key-that-is-gone"},
    ],
)
def test_a_key_that_may_not_be_used_is_refused(world: World, changes: dict[str, Any]) -> None:
    world.add_key("shop", "second", **changes)
    refused_by(world, world.token(assertion=world.assertion("shop", "second")), "key")


@pytest.mark.parametrize("changes", [{"not_before": int(NOW)}, {"expires_at": int(NOW) + 1}])
def test_a_key_may_be_used_within_its_time(world: World, changes: dict[str, Any]) -> None:
    world.add_key("shop", "second", **changes)
    assert world.token(assertion=world.assertion("shop", "second")).status == 200


@pytest.mark.parametrize("end", [retire_client_key, revoke_client_key])
def test_a_child_falls_with_its_parent(world: World, end: Any) -> None:
    parent = signing_key("shop-1").verification_key.thumbprint
    child = world.add_key("shop", "child", parent=parent)
    world.add_key("shop", "grandchild", parent=child.thumbprint)
    assert world.token(assertion=world.assertion("shop", "grandchild")).status == 200
    [ended] = world.write(lambda work: end(work, parent, ACT))
    assert ended.keys == 3
    for kid in ("shop-1", "child", "grandchild"):
        refused_by(world, world.token(assertion=world.assertion("shop", kid)), "key")


def test_a_child_falls_even_if_nobody_told_it(world: World) -> None:
    """The parents are looked at when the key is used, so no way of ending a key can forget its descendants."""
    parent = signing_key("shop-1").verification_key.thumbprint
    world.add_key("shop", "child", parent=parent)
    world.write(lambda work: work.client_keys.set_state(parent, "retired"))
    refused_by(world, world.token(assertion=world.assertion("shop", "child")), "key")


def test_without_a_kid_the_keys_of_the_client_are_tried(world: World) -> None:
    world.add_key("shop", "second")
    assert world.token(assertion=_without_kid(world, "second")).status == 200
    refused_by(world, world.token(assertion=_without_kid(world, "other-1")), "signature")


def test_without_a_kid_only_few_keys_are_tried(world: World) -> None:
    for number in range(6):
        world.add_key("shop", f"newer-{number}", created_at=int(NOW) + 1 + number)
    refused_by(world, world.token(assertion=_without_kid(world, "newer-0")), "signature")
    assert world.token(assertion=_without_kid(world, "newer-5")).status == 200


def _without_kid(world: World, kid: str) -> str:
    from ostiary.protocol import base64url, client_assertion, strict_json

    payload = client_assertion.build("shop", ISSUER, now=world.clock(), jti=f"jti-{kid}")
    signing_input = base64url.encode(strict_json.encode({"alg": "ES256"})) + b"." + base64url.encode(payload)
    return (signing_input + b"." + base64url.encode(signing_key(kid).sign(signing_input))).decode()


def test_a_published_key_proves_its_client(world: World) -> None:
    world.add_client("web", key=None, jwks_uri="https://web.example.com/jwks")
    world.published.keys["web"] = [signing_key("web-1").verification_key]
    assert world.token("web").status == 200


def test_a_published_key_of_another_client_proves_nothing(world: World) -> None:
    world.add_client("web", key=None, jwks_uri="https://web.example.com/jwks")
    world.published.keys["other"] = [signing_key("web-1").verification_key]
    refused_by(world, world.token("web"), "key")


@pytest.mark.parametrize("state", ["retired", "revoked"])
def test_a_key_ended_in_the_store_does_not_come_back_by_publication(world: World, state: Any) -> None:
    world.add_client("web", key=None, jwks_uri="https://web.example.com/jwks")
    republished = replace(signing_key("web-1").verification_key, kid="web-again")
    world.add_key("web", "web-1", state=state)
    world.published.keys["web"] = [republished]
    key = SigningKey.from_pkcs8(signing_key("web-1").to_pkcs8(), "ES256", "web-again")
    refused_by(world, world.token("web", assertion=world.assertion("web", key=key)), "key")


def test_the_same_kid_of_another_client_is_another_key(world: World) -> None:
    """attack 34: the same kid in two places names two keys."""
    world.add_client("third", key=None)
    twin = SigningKey.generate("ES256", kid="shop-1")
    record = replace(
        client_key("third", "third-key"),
        kid="shop-1",
        thumbprint=twin.verification_key.thumbprint,
        jwk=_json(twin.verification_key.public_jwk()),
    )
    world.write(lambda work: work.client_keys.add(record))
    assert world.token("third", assertion=world.assertion("third", key=twin), resource=ORDERS).status == 200
    refused_by(world, world.token(assertion=world.assertion("shop", key=twin)), "signature")


def _json(jwk: dict[str, str]) -> str:
    import json

    return json.dumps(jwk)


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"client_assertion": None}, "method"),
        ({"client_assertion_type": None}, "method"),
        ({"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, "method"),
        ({"client_secret": "hunter2"}, "method"),
        ({"client_id": "other"}, "client"),
    ],
)
def test_one_wrong_parameter_is_refused(world: World, changes: dict[str, Any], check: str) -> None:
    """attack 20: a client_id that is not the client of the assertion is refused, it does not replace it."""
    refused_by(world, world.token(**changes), check)


def test_the_client_id_of_the_assertion_may_be_sent(world: World) -> None:
    assert world.token(client_id="shop").status == 200


def test_no_credential_at_all_is_refused(world: World) -> None:
    refused_by(world, world.post("/token", {"grant_type": "client_credentials"}), "method")


def test_a_name_alone_proves_no_client_that_has_a_key(world: World) -> None:
    refused_by(world, world.post("/token", {"grant_type": "client_credentials", "client_id": "shop"}), "client")


def test_a_basic_header_beside_the_assertion_is_refused_with_its_challenge(world: World) -> None:
    answer = world.post("/token", world.token_form(), authorization="Basic c2hvcDpodW50ZXIy")
    refused_by(world, answer, "method")
    assert answer.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.parametrize("assertion", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "é", "." * 5, "A" * 20_000])
def test_what_is_no_assertion_is_refused(world: World, assertion: str) -> None:
    """standards 54, 58, 61"""
    answer = world.post("/token", world.token_form() | {"client_assertion": assertion})
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")


def test_the_trace_of_a_refusal_shows_what_had_passed(world: World) -> None:
    trace = world.trace(world.token(assertion=world.assertion(aud="https://evil.example.com")))
    assert [check.name for check in trace.checks] == ["algorithm", "signature", "type", "issuer", "subject", "audience"]
    assert trace.checks[-1].seen == "https://evil.example.com"
    assert trace.checks[-1].expected == ISSUER
    assert trace.context["client_id"] == "shop"


def test_the_last_use_of_a_key_is_written_at_most_once_a_minute(world: World) -> None:
    def last_used() -> int | None:
        key = world.read(lambda work: work.client_keys.get("shop", "shop-1"))
        at: int | None = key.last_used_at
        return at

    def use_after(seconds: float) -> int | None:
        world.clock.now += seconds
        world.access_token()
        world.run(world.server.flush())
        return last_used()

    assert [use_after(0), use_after(59), use_after(1)] == [int(NOW), int(NOW), int(NOW) + 60]


@pytest.mark.parametrize("client_id", ["nobody", "shop"])
def test_a_signature_is_verified_even_where_no_key_could_have_made_it(
    world: World, monkeypatch: pytest.MonkeyPatch, client_id: str
) -> None:
    """An answer that comes sooner would tell a stranger that client and kid exist."""
    verified: list[str] = []
    monkeypatch.setattr(decoys, "verify", lambda token: verified.append(token.header.alg))
    key = SigningKey.generate("EdDSA", kid=f"{client_id}-1")
    assert world.token(assertion=world.assertion(client_id, key=key)).status == 401
    assert verified == ["EdDSA"]
