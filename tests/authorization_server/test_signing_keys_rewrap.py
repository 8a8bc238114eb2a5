"""A new key-encryption key takes over all keys or none; several processes never do a step twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ostiary.errors import ConfigurationError, OstiaryError
from ostiary.key_management.base import KeyUse
from ostiary.key_management.file import FileKeyManagement
from ostiary.key_management.key_encryption_key import KeyEncryptionKey, create_key_encryption_key, wrapped_by
from ostiary.storage.sqlite import SqliteStorage
from tests.authorization_server.key_world import (
    JWKS_MAX_AGE,
    KEK,
    NEW_KEK,
    ROTATE_AFTER,
    CountingKeyManagement,
    KeyWorld,
    in_world,
)


async def wrapped(world: KeyWorld) -> list[bytes]:
    rows = [*await world.rows("token"), *await world.rows("audit")]
    return [key.wrapped_private_key for key in rows if key.wrapped_private_key]


def test_rewrapping_hands_every_private_key_to_the_new_key_alone(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure()
        world.now += JWKS_MAX_AGE + 1
        await keys.rotate()
        before = keys.jwks()
        assert await keys.rewrap(NEW_KEK, actor="cli") == 3  # active, next, audit; a retired key has none
        assert {wrapped_by(one) for one in await wrapped(world)} == {NEW_KEK.name}
        fresh = world.process(FileKeyManagement(lambda: NEW_KEK))
        await fresh.refresh(await world.storage.positions())
        assert fresh.current("ES256").kid == keys.current("ES256").kid
        assert fresh.jwks() == before
        stale = world.process(FileKeyManagement(lambda: KEK))
        with pytest.raises(ConfigurationError, match="wrapped by the key-encryption key"):
            await stale.ensure(["EdDSA"])
        assert sum(tag == "signing_key:rewrapped" for tag, _, _ in await world.events()) == 3

    in_world(tmp_path, claim)


class FailingKeyManagement(FileKeyManagement):
    """Fails in the middle of rewrapping."""

    def rewrap(self, kid: str, use: KeyUse, alg: str, wrapped: bytes, *, new: KeyEncryptionKey) -> bytes:
        if use == "audit":
            raise RuntimeError("the power went out")
        return super().rewrap(kid, use, alg, wrapped, new=new)


def test_an_interrupted_rewrapping_leaves_the_old_state(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        await world.process().ensure()
        before = await wrapped(world)
        with pytest.raises(RuntimeError, match="power"):
            await world.process(FailingKeyManagement(lambda: KEK)).rewrap(NEW_KEK)
        assert await wrapped(world) == before
        keys = world.process()
        await keys.ensure(["EdDSA"])
        assert keys.current("EdDSA")

    in_world(tmp_path, claim)


def test_rewrapping_by_someone_with_the_wrong_key_changes_nothing(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        await world.process().ensure()
        before = await wrapped(world)
        with pytest.raises(ConfigurationError, match="at hand"):
            await world.process(FileKeyManagement(lambda: NEW_KEK)).rewrap(NEW_KEK)
        assert await wrapped(world) == before

    in_world(tmp_path, claim)


def test_a_running_server_signs_on_and_follows_the_file(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        path, new = tmp_path / "kek", tmp_path / "new"
        create_key_encryption_key(path)
        running = world.process(FileKeyManagement.from_file(path))
        await running.ensure()
        command = world.process(FileKeyManagement.from_file(path))
        await command.rewrap(create_key_encryption_key(new))
        await running.refresh(await world.storage.positions())
        assert running.current("ES256")  # from memory: nothing had to be opened
        world.now += ROTATE_AFTER
        with pytest.raises(ConfigurationError, match="key-encryption key"):
            await running.tick()  # between the rewrapping and the new file no key is made that others cannot open
        new.replace(path)
        await running.tick()
        assert {wrapped_by(one) for one in await wrapped(world)} == {KeyEncryptionKey.from_file(path).name}

    in_world(tmp_path, claim)


def test_of_two_processes_that_start_together_one_makes_the_keys(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        second = SqliteStorage(world.path)
        await second.open()
        try:
            one, two = world.process(), world.process(storage=second)
            await asyncio.gather(one.ensure(), two.ensure())
            assert sorted((await world.states()).values()) == ["active", "published"]
            assert len(await world.rows("audit")) == 1
            assert one.jwks() == two.jwks()
            assert one.current("ES256").kid == two.current("ES256").kid
        finally:
            await second.close()

    in_world(tmp_path, claim)


@pytest.mark.parametrize("step", ["tick", "rotate", "compromised"])
def test_a_step_that_another_process_did_meanwhile_is_not_done_twice(tmp_path: Path, step: str) -> None:
    """The other process comes between the reading of the keys and the writing."""

    async def claim(world: KeyWorld) -> None:
        await world.process().ensure()
        old = (await world.only("active")).kid
        world.now += ROTATE_AFTER
        other, management = world.process(), CountingKeyManagement()
        management.before_generating = other.tick
        keys = world.process(management)
        if step == "tick":
            await keys.tick()
            assert list((await world.states()).values()).count("retired") == 1
        elif step == "rotate":
            (done,) = await keys.rotate()
            assert done.outcome == "scheduled"  # the other's rotation published the next key only now
        else:
            (withdrawn,) = await keys.rotate(compromised=True, kid=old)
            assert withdrawn.old_kid == old
        states = list((await world.states()).values())
        assert (states.count("active"), states.count("published")) == (1, 1)

    in_world(tmp_path, claim)


def test_a_database_that_fails_changes_no_process(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure()
        kid = keys.current("ES256").kid
        await world.storage.close()
        with pytest.raises(OstiaryError):
            await keys.rotate(compromised=True)
        assert keys.current("ES256").kid == kid

    in_world(tmp_path, claim)
