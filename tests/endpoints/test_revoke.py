"""Revocation by the token's own client: at once, for both formats, and for nobody else."""

from __future__ import annotations

import pytest

from tests.authorization_server.world import Answer, World
from tests.endpoints.test_client_authentication import refused_by
from tests.endpoints.test_introspect import FORMATS, INACTIVE, use_format


@pytest.fixture(params=FORMATS)
def token(request: pytest.FixtureRequest, world: World) -> str:
    """A token of ``shop`` in each format."""
    use_format(world, request.param)
    return world.access_token()


def revoke(world: World, token: str, client_id: str = "shop", **parameters: str) -> Answer:
    return world.post("/revoke", world.form(client_id, token=token, **parameters))


def test_a_revoked_token_is_refused_at_once(world: World, token: str) -> None:
    """standards 75; attack 33"""
    assert revoke(world, token).status == 200
    assert world.introspect(token).body == INACTIVE


def test_revocation_leaves_an_event_and_one_row_of_the_log(world: World, token: str) -> None:
    revoke(world, token)
    revoke(world, token)
    [event] = [row for row in world.audit() if row.tag == "token:revoked"]
    [row] = world.read(lambda work: work.revocations.since(0))
    assert (row.kind, row.value, event.actor) == ("jti", event.target, "shop")


def test_other_tokens_of_the_client_stay_good(world: World, token: str) -> None:
    other = world.access_token()
    revoke(world, token)
    assert world.introspect(other).json["active"]


@pytest.mark.parametrize("token", ["x", "a.b.c", "ost_at_abcdef_" + "0" * 49, "é"])
def test_an_unknown_token_is_answered_with_success(world: World, token: str) -> None:
    """standards 75"""
    assert (revoke(world, token).status, revoke(world, token).json) == (200, {})


def test_an_expired_token_is_answered_with_success(world: World, token: str) -> None:
    """standards 75"""
    world.clock.now += 700
    assert revoke(world, token).status == 200
    assert world.read(lambda work: work.revocations.since(0)) == []


def test_another_client_cannot_revoke_it(world: World, token: str) -> None:
    """standards 75"""
    refused_by(world, revoke(world, token, "other"), "client", "unauthorized_client", 400)
    assert world.introspect(token).json["active"]


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense"])
def test_a_wrong_hint_does_not_keep_it_alive(world: World, token: str, hint: str) -> None:
    """standards 75: search all types if the hint misses."""
    revoke(world, token, token_type_hint=hint)
    assert world.introspect(token).body == INACTIVE


def test_revocation_without_authentication_is_refused(world: World, token: str) -> None:
    """standards 75"""
    refused_by(world, world.post("/revoke", {"token": token}), "method")
    assert world.introspect(token).json["active"]


def test_a_missing_token_is_refused(world: World) -> None:
    refused_by(world, world.post("/revoke", world.form()), "token", "invalid_request", 400)


def test_a_request_without_effect_is_audited_too(world: World) -> None:
    token = world.access_token()
    revoke(world, "nonsense")
    revoke(world, token)
    world.clock.now += 1
    revoke(world, token)
    [jti] = [row.target for row in world.audit() if row.tag == "token:issued"]
    assert [(row.actor, row.target) for row in world.audit() if row.tag == "revocation:ignored"] == [
        ("shop", ""),
        ("shop", jti),
    ]
