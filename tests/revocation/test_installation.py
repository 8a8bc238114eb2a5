"""A new epoch of the installation: whatever was issued before it ends, and no proof of before is taken again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ostiary.model.revocation import EPOCH, epoch_at
from ostiary.revocation import MAX_TOKEN_LIFE, Act, EpochEnded, raise_epoch
from ostiary.storage.base import MarksLost
from tests.authorization_server.world import NOW, ORDERS, World
from tests.contract.storage.examples import artifact, grant

ACT = Act("cli", NOW, "restored")
FIRST = epoch_at(int(NOW))
LONGEST, LEEWAY = 300, 10
"""The longest life of an assertion, and by how much a clock may differ."""


def begin(world: World) -> EpochEnded:
    [ended] = world.write(lambda work: raise_epoch(work, replace(ACT, now=world.clock())))
    assert isinstance(ended, EpochEnded)
    return ended


def active(world: World, token: str, api: str = "api_orders") -> bool:
    answer = world.introspect(token, api)
    assert answer.status == 200, answer.body
    return bool(answer.json["active"])


@pytest.mark.parametrize("token_format", ["self-contained", "reference"])
def test_a_token_of_before_is_inactive_and_a_later_one_is_good(world: World, token_format: str) -> None:
    """Two formats, one rule."""
    api = world.read(lambda work: work.apis.get(ORDERS))
    world.write(lambda work: work.apis.replace(replace(api, token_format=token_format)))
    old = world.access_token()
    assert active(world, old)
    assert begin(world).epoch == FIRST
    world.clock.now += LEEWAY + 1
    assert not active(world, old)
    assert active(world, world.access_token())


def test_positions_that_may_have_been_given_before_are_given_to_nobody_again(world: World) -> None:
    for epoch in (FIRST, FIRST + 1):
        assert begin(world).epoch == epoch
        positions = world.run(world.storage.positions())
        assert (positions.revocation, positions.registry) == (epoch * EPOCH, epoch * EPOCH)
    [first, second] = world.read(lambda work: work.revocations.since(0))
    assert (second.kind, second.value, second.expires_at) == ("installation", "", int(NOW) + MAX_TOKEN_LIFE)
    assert (first.position, second.position) == (FIRST * EPOCH, (FIRST + 1) * EPOCH)


def test_it_is_one_event_that_says_what_ended(world: World) -> None:
    begin(world)
    [event] = [row for row in world.audit() if row.tag == "installation:epoch_raised"]
    assert (event.actor, event.reason, event.details["epoch"]) == ("cli", "restored", str(FIRST))
    assert event.target == world.read(lambda work: work.setting("installation_id"))


def test_grants_of_users_and_one_time_artifacts_end_and_registrations_stay(world: World) -> None:
    """A refresh token hangs on its user's grant, so it ends with it."""

    async def fill(work: Any) -> None:
        await work.grants.add(grant("gr_user", user_id="usr_1"))
        await work.artifacts.add(artifact(b"d" * 32, kind="code", expires_at=int(NOW) + 600))

    world.write(fill)
    ended = begin(world)
    assert (ended.grants, ended.artifacts) == (1, 1)
    assert not world.read(lambda work: work.grants.get("gr_user")).stands(NOW)
    assert world.read(lambda work: work.grants.get("gr_shop")).stands(NOW)
    [taken] = world.write(lambda work: work.artifacts.consume("code", b"d" * 32, now=int(NOW)))
    assert taken is None
    world.clock.now += LEEWAY + 1
    assert world.token().status == 200


def test_an_assertion_that_was_used_before_the_loss_is_refused_although_its_mark_is_gone(world: World) -> None:
    """The mark is lost with the end of the database: here it was never written."""
    assertion = world.assertion()
    begin(world)
    answer = world.token(assertion=assertion)
    assert (answer.status, answer.json["error"]) == (503, "temporarily_unavailable")
    assert "restored" in answer.json["error_description"]
    assert "access_token" not in answer.json


@pytest.mark.parametrize(("claims", "wait"), [({}, LEEWAY + 1), ({"iat": None}, LONGEST + LEEWAY - 60 + 1)])
def test_who_waits_as_long_as_they_were_told_is_taken_and_a_second_less_is_refused(
    world: World, claims: dict[str, None], wait: int
) -> None:
    """By ``iat``, which nobody can have accepted earlier than the leeway allows; without one by ``exp``."""

    def ask() -> Any:
        return world.token(assertion=world.assertion(**claims))

    begin(world)
    assert ask().headers["retry-after"] == str(wait)
    world.clock.now += wait - 1
    assert ask().headers["retry-after"] == "1"
    world.clock.now += 1
    assert ask().status == 200


def test_a_proof_without_iat_that_must_have_been_made_after_the_loss_is_taken_at_once(world: World) -> None:
    """One of the longest life ends later than any that can have been used before."""
    begin(world)
    world.clock.now += LEEWAY + 1
    assert world.token(assertion=world.assertion(iat=None, exp=int(world.clock.now) + LONGEST)).status == 200


def test_an_earlier_loss_is_not_forgotten_by_an_act_with_a_slow_clock(world: World) -> None:
    begin(world)
    world.write(lambda work: raise_epoch(work, replace(ACT, now=NOW - 3600)))
    assert world.token().status == 503


@pytest.mark.parametrize("earliest", [int(NOW) - 1, int(NOW)])
def test_marks_say_that_they_may_be_lost(world: World, earliest: int) -> None:
    begin(world)

    def mark(usable_from: int) -> Any:
        return world.write(
            lambda work: work.replay.mark("a", "j", expires_at=int(NOW) + 60, now=int(NOW), usable_from=usable_from)
        )

    with pytest.raises(MarksLost) as lost:
        mark(earliest)
    assert lost.value.retry_after == int(NOW) - earliest + 1
    assert mark(int(NOW) + 1) == [True]
