"""The usual world."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.authorization_server.world import World, shop_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An authorization server with two APIs and two clients."""
    with shop_world(tmp_path) as built:
        yield built
