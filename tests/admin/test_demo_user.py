"""The demo user of ``ostiary dev``: made once, with the password that its file holds."""

from __future__ import annotations

import json
from pathlib import Path

from ostiary.admin.demo_user import APPLICATION_ID, DemoUser, ensure_demo_user
from tests.admin.test_demo import ensure
from tests.authorization_server.world import World


def _made(world: World, folder: Path) -> DemoUser:
    ensure(world, folder)
    return world.run(ensure_demo_user(world.storage, world.settings, world.server.passwords, folder, world.clock))


def test_the_demo_user_is_made_once_and_its_password_is_in_its_file(tmp_path: Path) -> None:
    world, folder = World(tmp_path), tmp_path / "demo"
    folder.mkdir()
    user = _made(world, folder)
    assert user.file.stat().st_mode & 0o777 == 0o600
    assert json.loads(user.file.read_bytes())["password"] == user.password
    before = world.read(lambda work: work.factors.by_lookup("password", "usr"))
    assert _made(world, folder) == user
    assert world.read(lambda work: work.factors.by_lookup("password", "usr")) == before
    assert len(world.read(lambda work: work.users.list())) == 1
    application = world.read(lambda work: work.clients.get(APPLICATION_ID))
    assert application.authentication_method == "none"
    assert user.password not in repr(user)
    world.close()
