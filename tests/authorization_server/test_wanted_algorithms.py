"""The installation keeps keys of what its applications want, and looks again only when somebody changed something."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ostiary.authorization_server.wanted_algorithms import WantedAlgorithms
from ostiary.model.client_login import ClientLogin
from tests.authorization_server.world import World, shop_world

LOGIN = ClientLogin(redirect_uris=("https://app.example.com/callback",), id_token_alg="RS256", userinfo_alg="ES256")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with shop_world(tmp_path) as built:
        yield built


def test_the_algorithms_of_applications_are_wanted_while_those_are_active(world: World) -> None:
    wanted = WantedAlgorithms(world.storage, ("EdDSA",))
    assert world.run(wanted.all()) == ["ES256", "EdDSA"]
    client = world.add_client("app", key=None, login=LOGIN)
    assert world.run(wanted.all()) == ["ES256", "EdDSA", "RS256"]
    assert world.run(wanted.all(("PS256",))) == ["ES256", "EdDSA", "PS256", "RS256"]
    world.write(lambda work: work.clients.replace(replace(client, state="disabled")))
    assert world.run(wanted.all()) == ["ES256", "EdDSA"]


def test_the_clients_are_read_again_only_after_a_change(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    read = world.storage.read

    def counted() -> Any:
        reads.append(1)
        return read()

    monkeypatch.setattr(world.storage, "read", counted)
    wanted = WantedAlgorithms(world.storage, ())
    for _ in range(3):
        world.run(wanted.all())
    assert len(reads) == 1
    world.add_client("app", key=None, login=LOGIN)
    assert "RS256" in world.run(wanted.all())
    assert len(reads) == 2


def test_the_key_of_an_application_is_rotated_as_every_other(world: World) -> None:
    world.add_client("app", key=None, login=LOGIN)
    world.run(world.signing_keys.ensure())
    first = world.signing_keys.current("RS256").kid
    world.clock.now += world.settings.keys.rotate_after + world.settings.keys.publish_before + 1
    for _ in range(2):
        world.run(world.signing_keys.tick())
    assert world.signing_keys.current("RS256").kid != first
