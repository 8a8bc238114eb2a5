"""A world whose pages are rendered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.authorization_server.world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    one = World(tmp_path_factory.mktemp("pages"))
    yield one
    one.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for templates of one's own."""
    made = tmp_path / "templates"
    made.mkdir()
    return made
