"""The demo of ``ostiary dev`` finds itself again whatever is left of its files and its database."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostiary.admin.demo import CLIENT_ID, DemoFiles, ensure_demo
from ostiary.admin.endings import disable_client
from ostiary.errors import ConfigurationError
from ostiary.protocol.credential import Credential
from ostiary.revocation.act import Act
from ostiary.settings import Settings
from tests.authorization_server.world import World


def ensure(world: World, folder: Path, settings: Settings | None = None) -> DemoFiles:
    return world.run(ensure_demo(world.storage, settings or world.settings, folder, world.clock))


def credential(path: Path) -> Credential:
    return Credential.parse(path.read_bytes())


def kids(world: World, client_id: str) -> set[str]:
    return {key.kid for key in world.read(lambda work: work.client_keys.of_client(client_id))}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "demo"
    made.mkdir()
    return made


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_demo_is_made_once(world: World, folder: Path) -> None:
    first = ensure(world, folder)
    content = first.client_file.read_bytes()
    assert ensure(world, folder) == first
    assert first.client_file.read_bytes() == content
    assert first.client_file.stat().st_mode & 0o777 == 0o600
    assert len(kids(world, CLIENT_ID)) == 1


def test_missing_file_is_made_anew_and_its_key_registered(world: World, folder: Path) -> None:
    files = ensure(world, folder)
    for path in (files.api_file, files.client_file):
        path.unlink()
        ensure(world, folder)
        found = credential(path)
        assert found.key.kid in kids(world, found.client_id)


def test_old_files_are_registered_in_a_new_database(world: World, folder: Path, tmp_path: Path) -> None:
    files = ensure(world, folder)
    before = files.client_file.read_bytes()
    (tmp_path / "other").mkdir()
    other = World(tmp_path / "other")
    ensure(other, folder)
    assert files.client_file.read_bytes() == before
    assert kids(other, CLIENT_ID) == {credential(files.client_file).key.kid}


def test_files_follow_the_issuer_to_another_port(world: World, folder: Path) -> None:
    files = ensure(world, folder)
    key = credential(files.client_file).key.kid
    moved = world.settings.model_copy(update={"issuer": "http://localhost:9999"})
    ensure(world, folder, moved)
    found = credential(files.client_file)
    assert (found.issuer, found.key.kid) == ("http://localhost:9999", key)
    assert files.client_file.stat().st_mode & 0o777 == 0o600


def test_foreign_file_in_the_way_is_named(world: World, folder: Path) -> None:
    (folder / "demo-client.json").write_text("{}")
    (folder / "demo-client.json").chmod(0o600)
    with pytest.raises(ConfigurationError, match=r"demo-client\.json is in the way"):
        ensure(world, folder)


def test_demo_client_that_was_disabled_stays_disabled(world: World, folder: Path) -> None:
    ensure(world, folder)
    world.run(disable_client(world.storage, CLIENT_ID, Act("cli", world.clock())))
    ensure(world, folder)
    assert world.read(lambda work: work.clients.get(CLIENT_ID)).state == "disabled"
