"""The usual world."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.user_authentication.browser import Browser, PeopleWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PeopleWorld]:
    """An authorization server with the user ada, whose password is ``PASSWORD``."""
    world = PeopleWorld(tmp_path)
    try:
        world.add_user("ada")
        yield world
    finally:
        world.close()


@pytest.fixture
def browser(world: PeopleWorld) -> Browser:
    """A browser that nobody has signed in with."""
    return Browser(world)
