"""A world with a CA and ACME: names are looked up at a DNS server of the test, and served on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ostiary.settings.acme import AcmeSettings
from tests.authorization_server.world import World
from tests.certificate_authority.acme.client import AcmeClient, credential
from tests.certificate_authority.authority import Ca, certificate_authority

Configure = Callable[..., None]


def configured(world: World, **acme: Any) -> None:
    """Give the running server other settings of ACME."""
    settings = AcmeSettings.model_validate({"enabled": True, "allow_networks": ["127.0.0.0/8"], **acme})
    world.server.settings = world.settings = world.settings.model_copy(update={"acme": settings})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    configured(made)
    yield made
    made.close()


@pytest.fixture
def ca(world: World) -> Ca:
    return certificate_authority(world)


@pytest.fixture
def client(world: World, ca: Ca) -> AcmeClient:
    """A client with an account for example.com and 10.0.0.0/8."""
    made = AcmeClient(world)
    answer = made.register(credential(world))
    assert answer.status == 201, answer.body
    return made
