"""A client assertion is used once: whatever its expiry says, wherever it is shown, however many show it at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.authorization_server.world import NOW, World, shop_world
from tests.endpoints.test_client_authentication import refused_by

FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The usual world."""
    with shop_world(tmp_path) as built:
        yield built


def test_the_same_assertion_twice_is_refused(world: World) -> None:
    """standards 6"""
    form = world.token_form()
    assert world.post("/token", form).status == 200
    refused_by(world, world.post("/token", form), "jti")


def test_the_same_jti_with_another_expiry_is_refused(world: World) -> None:
    """standards 6"""
    assert world.token(assertion=world.assertion(jti="one", exp=int(NOW) + 60)).status == 200
    refused_by(world, world.token(assertion=world.assertion(jti="one", exp=int(NOW) + 61)), "jti")


def test_the_same_jti_of_another_client_is_another(world: World) -> None:
    assert world.token(assertion=world.assertion("shop", jti="one")).status == 200
    assert world.token("other", assertion=world.assertion("other", jti="one")).status == 200


def test_an_assertion_serves_at_one_endpoint_only(world: World) -> None:
    assertion = world.assertion()
    assert world.token(assertion=assertion).status == 200
    refused_by(world, world.post("/revoke", world.form(assertion=assertion, token="x")), "jti")


def test_of_fifty_at_once_one_wins(world: World) -> None:
    """standards 6"""
    body = urlencode(world.token_form()).encode()

    async def storm() -> list[int]:
        answers = await asyncio.gather(*(world.call("POST", "/token", body, FORM) for _ in range(50)))
        return [answer.status for answer in answers]

    assert sorted(world.run(storm())) == [200] + [401] * 49


def test_a_mark_outlives_the_assertion_and_its_leeway(world: World) -> None:
    """standards 6: until it is refused as expired it is refused as used."""
    form = world.token_form(assertion=world.assertion(exp=int(NOW) + 5))
    assert world.post("/token", form).status == 200
    for seconds, check in ((14, "jti"), (15, "expiry")):
        world.clock.now = NOW + seconds
        world.run(world.storage.expire(int(world.clock.now)))
        refused_by(world, world.post("/token", form), check)


def test_a_refusal_uses_the_assertion_up(world: World) -> None:
    """A refusal is a write: its mark, its audit event and its trace stand before it is answered."""
    assertion = world.assertion()
    refused_by(world, world.token(assertion=assertion, scope="no:such"), "scope", "invalid_scope", 400)
    refused_by(world, world.token(assertion=assertion), "jti")


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    with shop_world(tmp_path) as world:
        form = world.token_form()
        assert world.post("/token", form).status == 200
    again = World(tmp_path)
    refused_by(again, again.post("/token", form), "jti")
    again.close()
