"""What an act ends: state, audit event and row of the log, in one transaction and only once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ostiary.model.token import TAKEN_BEYOND_ITS_END
from ostiary.revocation import (
    MAX_TOKEN_LIFE,
    NOTHING,
    Act,
    Ended,
    retire_client_key,
    revoke_client,
    revoke_client_key,
    revoke_grant,
    revoke_token,
)
from tests.authorization_server.world import NOW, World, signing_key

ACT = Act("admin:boss", NOW, "stolen", personal={"address": "192.0.2.9"})
THUMBPRINT = signing_key("shop-1").verification_key.thumbprint


def rows(world: World) -> list[tuple[str, str]]:
    return [(row.kind, row.value) for row in world.read(lambda work: work.revocations.since(0))]


def events(world: World) -> list[Any]:
    return [row for row in world.audit() if row.actor == "admin:boss"]


@pytest.mark.parametrize(
    ("end", "target", "row", "tag"),
    [
        (revoke_client, "shop", ("client", "shop"), "client:disabled"),
        (revoke_grant, "gr_shop", ("grant", "gr_shop"), "grant:revoked"),
        (revoke_client_key, THUMBPRINT, ("client_key", THUMBPRINT), "client:key_revoked"),
    ],
    ids=["client", "grant", "key"],
)
def test_an_act_is_one_row_and_one_event_however_often_it_is_done(
    world: World, end: Any, target: str, row: tuple[str, str], tag: str
) -> None:
    for done in (True, False):
        [result] = world.write(lambda work: end(work, target, ACT))
        assert bool(result) is done
        [event] = events(world)
        assert rows(world) == [row]
        assert (event.tag, event.outcome, event.reason) == (tag, "done", "stolen")


@pytest.mark.parametrize("end", [revoke_client, revoke_grant, revoke_client_key, retire_client_key])
def test_what_does_not_exist_cannot_be_ended(world: World, end: Any) -> None:
    [result] = world.write(lambda work: end(work, "nothing", ACT))
    assert not result
    assert (rows(world), events(world)) == ([], [])


def test_a_retired_key_can_still_be_revoked_and_not_the_other_way_round(world: World) -> None:
    def state() -> str:
        return str(world.read(lambda work: work.client_keys.get("shop", "shop-1")).state)

    world.write(lambda work: retire_client_key(work, THUMBPRINT, ACT))
    assert (state(), rows(world)) == ("retired", [])
    world.write(lambda work: revoke_client_key(work, THUMBPRINT, ACT))
    assert (state(), rows(world)) == ("revoked", [("client_key", THUMBPRINT)])
    world.write(lambda work: retire_client_key(work, THUMBPRINT, ACT))
    assert state() == "revoked"


def test_descendants_fall_each_with_its_event_and_its_row(world: World) -> None:
    child = world.add_key("shop", "child", parent=THUMBPRINT)
    world.add_key("shop", "grandchild", parent=child.thumbprint)
    world.add_key("shop", "sibling")
    world.write(lambda work: revoke_client_key(work, THUMBPRINT, ACT))
    assert [event.details["kid"] for event in events(world)] == ["shop-1", "child", "grandchild"]
    assert [event.details.get("fell_with") for event in events(world)] == [None, "shop-1", "shop-1"]
    assert len(rows(world)) == 3
    assert world.read(lambda work: work.client_keys.get("shop", "sibling")).state == "active"


def test_an_act_that_fails_leaves_nothing(world: World) -> None:
    async def fail(work: Any) -> None:
        await revoke_client(work, "shop", ACT)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        world.write(fail)
    assert (rows(world), events(world)) == ([], [])
    assert world.token().status == 200


def test_a_token_can_be_ended_for_as_long_as_an_api_may_take_it(world: World) -> None:
    """Also just beyond its end: clocks differ, and APIs have a leeway for that."""
    world.access_token()
    [token] = world.read(lambda work: work.tokens.of_client("shop", now=0, limit=9))
    late, too_late = (replace(ACT, now=token.expires_at + TAKEN_BEYOND_ITS_END - left) for left in (1, 0))
    assert world.write(lambda work: revoke_token(work, token, too_late)) == [NOTHING]
    assert world.write(lambda work: revoke_token(work, token, late)) == [Ended(tokens=1)]
    assert rows(world) == [("jti", token.jti)]


def test_a_row_is_kept_until_the_last_token_it_concerns_has_ended(world: World) -> None:
    from ostiary.settings.sections import TokenSettings

    world.write(lambda work: revoke_client(work, "shop", ACT))
    [row] = world.read(lambda work: work.revocations.since(0))
    assert row.expires_at == int(NOW) + MAX_TOKEN_LIFE
    assert TokenSettings(max_life=MAX_TOKEN_LIFE).max_life == MAX_TOKEN_LIFE
    with pytest.raises(ValueError, match="max_life"):
        TokenSettings(max_life=MAX_TOKEN_LIFE + 1)
