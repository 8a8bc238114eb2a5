"""The audit log of a whole authorization server: its own signing keys seal it, and what it decided verifies."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ostiary.audit import head as heads
from ostiary.audit.export import HeadsFile
from ostiary.audit.sealer import Sealer
from ostiary.audit.verify import verify
from ostiary.authorization_server.signing_keys import SigningKeys
from ostiary.key_management.file import FileKeyManagement
from ostiary.storage.base import Positions
from tests.authorization_server.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.add_api()
    world.add_client()
    yield world
    world.close()


def test_decisions_are_sealed_by_the_installations_audit_key_and_verify(world: World) -> None:
    file = world.folder / "heads"
    sealer = Sealer(world.storage, world.signing_keys, file, world.clock)
    assert world.token().status == 200
    assert world.token(scope="orders:erase").status == 400
    assert world.run(sealer.seal_once()) > 2
    report = world.run(verify(world.storage, HeadsFile(file), clock=world.clock))
    assert report.good
    assert report.exported == 1
    assert {"token:issued", "token:refused"} <= {row.tag for row in world.audit()}


def test_the_chain_goes_on_over_rotations_of_the_audit_key(world: World) -> None:
    file = world.folder / "heads"
    sealer = Sealer(world.storage, world.signing_keys, file, world.clock)
    for _ in range(3):
        world.run(sealer.seal_all())
        world.clock.now += 3 * 86_400
        world.run(world.signing_keys.tick())
        world.run(world.signing_keys.rotate(use="audit"))
    world.run(sealer.seal_all())
    report = world.run(verify(world.storage, HeadsFile(file), clock=world.clock))
    assert report.good
    kids = {line.split(".")[0] for line in file.read_text().splitlines()}
    assert len(kids) >= 3


def test_no_head_is_signed_by_an_audit_key_that_another_process_withdrew(world: World) -> None:
    """standards 117; the process that seals may have answered no request since."""
    sealer = Sealer(world.storage, world.signing_keys, None, world.clock)
    old = world.signing_keys.current("ES256", "audit").kid
    management = FileKeyManagement.from_settings(world.settings.keys)
    other = SigningKeys(world.storage, management, world.settings, world.clock)
    world.run(other.rotate(use="audit", compromised=True))
    assert world.run(sealer.seal_all()) > 0
    [segment] = world.read(lambda work: work.audit.segments())
    assert heads.kid_of(segment.signature) == other.current("ES256", "audit").kid != old


def test_nothing_is_sealed_while_the_keys_change(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """standards 117; the key is withdrawn after it was looked at and before the segment is written."""
    sealer = Sealer(world.storage, world.signing_keys, None, world.clock)
    management = FileKeyManagement.from_settings(world.settings.keys)
    other = SigningKeys(world.storage, management, world.settings, world.clock)
    look = world.signing_keys.refresh

    async def look_too_early(positions: Positions) -> None:
        await look(positions)
        monkeypatch.setattr(world.signing_keys, "refresh", look)
        await other.rotate(use="audit", compromised=True)

    monkeypatch.setattr(world.signing_keys, "refresh", look_too_early)
    assert world.run(sealer.seal_segment()) == 0
    assert world.run(sealer.seal_segment()) > 0
    [segment] = world.read(lambda work: work.audit.segments())
    assert heads.kid_of(segment.signature) == other.current("ES256", "audit").kid
