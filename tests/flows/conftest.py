"""The usual world with a user, an application and a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ostiary.model.user import User
from tests.authorization_server.applications import add_application, add_user
from tests.authorization_server.browser import Browser
from tests.authorization_server.world import World, shop_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An authorization server with two APIs, their clients, and the application ``app``."""
    with shop_world(tmp_path) as built:
        add_application(built)
        yield built


@pytest.fixture
def ada(world: World) -> User:
    """A user."""
    return add_user(world)


@pytest.fixture
def browser(world: World) -> Browser:
    """A browser that was never here."""
    return Browser(world)
