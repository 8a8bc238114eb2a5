"""Introspection: who may ask, what is told, and one rule for both formats of tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from ostiary.model.grant import Grant
from ostiary.protocol import token_format
from ostiary.protocol.jwk import SigningKey
from ostiary.revocation import Act, retire_client_key, revoke_client, revoke_client_key, revoke_grant
from tests.authorization_server.world import BILLS, ISSUER, NOW, ORDERS, World, signing_key
from tests.endpoints.test_client_authentication import refused_by

ACT = Act("cli", NOW)
INACTIVE = b'{"active":false}'
FORMATS = ["self-contained", "reference"]


@pytest.fixture(params=FORMATS)
def token(request: pytest.FixtureRequest, world: World) -> str:
    """A token of ``shop`` for the API of orders, in each format."""
    use_format(world, request.param)
    return world.access_token()


def use_format(world: World, token_format: Any) -> None:
    api = world.read(lambda work: work.apis.get(ORDERS))
    world.write(lambda work: work.apis.replace(replace(api, token_format=token_format)))


def jti_of(world: World) -> str:
    [jti] = [row.target for row in world.audit() if row.tag == "token:issued"]
    return str(jti)


def test_a_good_token_is_told_in_full(world: World, token: str) -> None:
    answer = world.introspect(token)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json == {
        "active": True,
        "iss": ISSUER,
        "sub": "shop",
        "aud": ORDERS,
        "exp": int(NOW) + 600,
        "iat": int(NOW),
        "jti": jti_of(world),
        "client_id": "shop",
        "scope": "orders:read orders:write",
        "token_type": "Bearer",
        "grant_id": "gr_shop",
        "rev": 0,
        "client_key": signing_key("shop-1").verification_key.thumbprint,
    }


def _no_act(world: World) -> None:
    """Nothing happens."""


def _expire(world: World) -> None:
    world.clock.now += 600


def _revoke_it(world: World) -> None:
    from ostiary.revocation import revoke_token

    jti = jti_of(world)
    record = world.read(lambda work: work.tokens.by_jti(jti))
    world.write(lambda work: revoke_token(work, record, ACT))


def _disable_client(world: World) -> None:
    world.write(lambda work: revoke_client(work, "shop", ACT))


def _disable_and_enable_client(world: World) -> None:
    client = world.read(lambda work: work.clients.get("shop"))
    _disable_client(world)
    world.write(lambda work: work.clients.replace(client))


def _only_disable_client(world: World) -> None:
    client = world.read(lambda work: work.clients.get("shop"))
    world.write(lambda work: work.clients.replace(replace(client, state="disabled")))


def _end_grant(world: World) -> None:
    world.write(lambda work: revoke_grant(work, "gr_shop", ACT))


def _only_end_grant(world: World) -> None:
    world.write(lambda work: work.grants.end("gr_shop", int(NOW)))


def _revoke_key(world: World) -> None:
    world.write(lambda work: revoke_client_key(work, signing_key("shop-1").verification_key.thumbprint, ACT))


def _disable_api(world: World) -> None:
    api = world.read(lambda work: work.apis.get(ORDERS))
    second = replace(api, identifier="https://second.example.com", name="second")
    world.write(lambda work: work.apis.add(second), lambda work: work.apis.replace(replace(api, state="disabled")))


def _retire_key(world: World) -> None:
    world.write(lambda work: retire_client_key(work, signing_key("shop-1").verification_key.thumbprint, ACT))


def _rotate_signing_key(world: World) -> None:
    world.run(world.signing_keys.rotate("ES256"))


@pytest.mark.parametrize(
    "act",
    [
        _expire,
        _revoke_it,
        _disable_client,
        _disable_and_enable_client,
        _only_disable_client,
        _end_grant,
        _only_end_grant,
        _revoke_key,
        _disable_api,
    ],
)
def test_two_formats_one_rule_ended(world: World, token: str, act: Callable[[World], None]) -> None:
    """standards 70, 71; attack 33: refused at once, and nothing told."""
    assert world.introspect(token).json["active"]
    act(world)
    assert world.introspect(token).body == INACTIVE


@pytest.mark.parametrize("act", [_no_act, _retire_key, _rotate_signing_key])
def test_two_formats_one_rule_standing(world: World, token: str, act: Callable[[World], None]) -> None:
    """standards 117: what an act does not concern stays good."""
    act(world)
    assert world.introspect(token).json["active"]


@pytest.mark.parametrize("token_format", FORMATS)
def test_a_revocation_ends_only_what_was_issued_before(world: World, token_format: str) -> None:
    """Positions decide, not clocks: the clock stands still in this test."""
    use_format(world, token_format)
    before = world.access_token()
    _disable_and_enable_client(world)
    after = world.access_token()
    assert world.introspect(before).body == INACTIVE
    assert world.introspect(after).json["active"]
    assert world.introspect(after).json["rev"] == 1


def test_a_withdrawn_signing_key_ends_what_it_signed_and_no_reference_token(world: World) -> None:
    signed = world.access_token()
    use_format(world, "reference")
    reference = world.access_token()
    world.run(world.signing_keys.rotate("ES256", compromised=True))
    assert world.introspect(signed).body == INACTIVE
    assert world.introspect(reference).json["active"]


def test_another_api_learns_nothing(world: World, token: str) -> None:
    """standards 70; attack 32: not-for-this-caller is told like unknown."""
    assert world.introspect(token, "api_bills").body == INACTIVE
    assert world.introspect(token, "api_orders").json["active"]


@pytest.mark.parametrize(
    "token",
    ["x", "ost_at_abcdef_" + "0" * 49, "a.b.c", "é", "ost_", "ost_rt_abcdef_" + "0" * 49],
)
def test_what_was_never_issued_is_inactive(world: World, token: str) -> None:
    """standards 70"""
    answer = world.introspect(token)
    assert (answer.status, answer.body) == (200, INACTIVE)


def test_an_altered_token_is_inactive(world: World, token: str) -> None:
    """standards 71"""
    last = "A" if token[-1] != "A" else "Q"
    assert world.introspect(token[:-1] + last).body == INACTIVE


def test_a_token_signed_by_a_foreign_key_is_inactive(world: World) -> None:
    """standards 48, 71"""
    from ostiary.protocol import jws

    token = world.access_token()
    kid = jws.parse(token).header.kid
    forged = jws.sign(jws.parse(token).payload, SigningKey.generate("ES256", kid=kid), typ="at+jwt")
    assert world.introspect(forged).body == INACTIVE


def test_a_well_signed_token_without_a_record_is_inactive(world: World) -> None:
    """The record is the truth: a token that the database does not know was not answered."""
    from ostiary.protocol import jws, strict_json

    known = jws.parse(world.access_token())
    signer = world.signing_keys.current("ES256")
    claims = {**known.claims(), "jti": "never-issued"}
    assert world.introspect(jws.sign(strict_json.encode(claims), signer, typ="at+jwt")).body == INACTIVE


def test_a_client_that_is_no_api_may_not_introspect(world: World) -> None:
    """standards 69"""
    token = world.access_token()
    refused_by(world, world.introspect(token, "shop"), "caller", "unauthorized_client", 403)


def test_an_identity_without_an_active_api_may_not_introspect(world: World) -> None:
    """standards 69"""
    world.add_client("api_lost", kind="api")
    refused_by(world, world.introspect("x", "api_lost"), "caller", "unauthorized_client", 403)


def test_introspection_without_authentication_is_refused(world: World) -> None:
    """standards 69"""
    refused_by(world, world.post("/introspect", {"token": world.access_token()}), "method")


def test_a_missing_token_is_refused(world: World) -> None:
    refused_by(world, world.post("/introspect", world.form("api_orders")), "token", "invalid_request", 400)


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense"])
def test_a_wrong_hint_hides_nothing(world: World, token: str, hint: str) -> None:
    form = world.form("api_orders", token=token, token_type_hint=hint)
    assert world.post("/introspect", form).json["active"]


def test_an_assertion_is_used_once_at_introspection_too(world: World) -> None:
    form = world.form("api_orders", token="x")
    assert world.post("/introspect", form).status == 200
    refused_by(world, world.post("/introspect", form), "jti")


def test_an_api_identity_of_two_apis_sees_the_tokens_of_both(world: World) -> None:
    third = replace(world.read(lambda work: work.apis.get(BILLS)), identifier="https://more.example.com", name="more")
    world.write(lambda work: work.apis.add(third))
    world.add_client("buyer", scopes={third.identifier: ("bills:read",)})
    assert world.introspect(world.access_token("buyer"), "api_bills").json["aud"] == third.identifier


def _introspections(world: World) -> list[tuple[str, str, str, str]]:
    rows = [row for row in world.audit() if row.tag == "token:introspected"]
    return [(row.outcome, row.actor, row.target, row.reason) for row in rows]


def test_every_answer_is_audited_with_its_reason_for_the_operator_alone(world: World) -> None:
    token = world.access_token()
    world.introspect(token)
    world.clock.now += 1
    assert world.introspect(token, "api_bills").body == INACTIVE
    world.clock.now += 1
    assert world.introspect("nonsense").body == INACTIVE
    world.write(lambda work: revoke_client(work, "shop", ACT))
    world.clock.now += 1
    assert world.introspect(token).body == INACTIVE
    jti = jti_of(world)
    assert _introspections(world) == [
        ("allowed", "api_orders", jti, ""),
        ("refused", "api_bills", jti, "for another API"),
        ("refused", "api_orders", "", "no such token"),
        ("refused", "api_orders", jti, "revoked by client"),
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"grant_id": "gr_brief"}, "its grant has ended"),
        ({"grant_id": "gr_gone"}, "its grant has ended"),
        ({"client_id": "gone"}, "its client is disabled"),
        ({"signing_kid": "gone"}, "its signing key is withdrawn"),
    ],
)
def test_a_token_falls_with_what_it_hangs_on(world: World, changes: dict[str, Any], reason: str) -> None:
    """standards 71: though nobody wrote a row into the revocation log."""
    use_format(world, "reference")
    world.access_token()
    text = token_format.generate(token_format.REFERENCE_ACCESS_TOKEN, "abcdef")
    grant = Grant("gr_brief", "shop", "shop", "client_credentials", int(NOW), int(NOW) + 30, None)
    jti = jti_of(world)
    record = structs.replace(
        world.read(lambda work: work.tokens.by_jti(jti)),
        jti="handmade",
        digest=token_format.digest(text),
        **changes,
    )
    world.write(lambda work: work.grants.add(grant), lambda work: work.tokens.add(record))
    world.clock.now += 30
    assert world.introspect(text).json["active"] is (reason == "")
    assert [row.reason for row in world.audit() if row.tag == "token:introspected"] == [reason]


def test_a_client_is_no_identity_of_an_api_because_an_api_names_it(world: World) -> None:
    """standards 69"""
    world.add_api("https://third.example.com", client_id=None)
    third = world.read(lambda work: work.apis.get("https://third.example.com"))
    world.write(lambda work: work.apis.replace(replace(third, client_id="shop")))
    refused_by(world, world.introspect("x", "shop"), "caller", "unauthorized_client", 403)
