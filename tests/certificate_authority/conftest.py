"""A world with a CA."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.authorization_server.world import World
from tests.certificate_authority.authority import Ca, certificate_authority


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def ca(world: World) -> Ca:
    return certificate_authority(world)
