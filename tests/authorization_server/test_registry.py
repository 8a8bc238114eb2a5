"""Several processes on one database: a committed change binds each of them on its next request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from ostiary.revocation import Act, retire_client_key, revoke_client, revoke_client_key, revoke_grant
from tests.authorization_server.world import NOW, ORDERS, World, signing_key

ACT = Act("cli", NOW)
THUMBPRINT = signing_key("shop-1").verification_key.thumbprint


@pytest.fixture
def other(world: World) -> Iterator[World]:
    """A second process on the same database."""
    process = World(world.folder, clock=world.clock)
    yield process
    process.close()


def _disable(world: World) -> None:
    world.write(lambda work: revoke_client(work, "shop", ACT))


def _retire(world: World) -> None:
    world.write(lambda work: retire_client_key(work, THUMBPRINT, ACT))


def _revoke(world: World) -> None:
    world.write(lambda work: revoke_client_key(work, THUMBPRINT, ACT))


def _end_grant(world: World) -> None:
    world.write(lambda work: revoke_grant(work, "gr_shop", ACT))


def _disable_api(world: World) -> None:
    api = world.read(lambda work: work.apis.get(ORDERS))
    world.write(lambda work: work.apis.replace(replace(api, state="disabled")))


@pytest.mark.parametrize("act", [_disable, _retire, _revoke, _end_grant, _disable_api])
def test_the_next_request_knows(world: World, other: World, act: Callable[[World], None]) -> None:
    assert world.token().status == 200
    act(other)
    assert world.token().status in (400, 401)


def test_what_was_added_elsewhere_is_known_at_once(world: World, other: World) -> None:
    assert world.token("newcomer").status == 401
    other.add_client("newcomer")
    assert world.token("newcomer").status == 200


def test_an_assertion_used_in_one_process_is_used_in_all(world: World, other: World) -> None:
    form = world.token_form()
    assert other.post("/token", form).status == 200
    assert world.post("/token", form).status == 401


def test_a_token_of_one_process_is_revoked_in_another(world: World, other: World) -> None:
    token = world.access_token()
    assert other.post("/revoke", other.form("shop", token=token)).status == 200
    assert world.introspect(token).json == {"active": False}


def test_what_does_not_change_is_read_once(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    world.token()

    def never(*_: object) -> None:
        raise AssertionError("the database was read")

    monkeypatch.setattr(type(world.storage), "read", never)
    assert world.token().status == 200


def test_unknown_names_are_not_remembered(world: World) -> None:
    """Anybody can ask for ever new names."""
    for number in range(5):
        world.token(f"nobody-{number}")
    registry = world.server.registry
    assert not any(name.startswith("nobody") for name in registry._clients)
