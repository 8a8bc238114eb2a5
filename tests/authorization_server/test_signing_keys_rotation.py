"""Rotation on a running installation: no valid token is refused, a compromised key is refused at once."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ostiary.authorization_server.signing_keys import SigningKeys
from ostiary.errors import ConfigurationError
from ostiary.model.token import AccessToken
from ostiary.protocol import jws
from tests.authorization_server.key_world import (
    JWKS_MAX_AGE,
    KEEP,
    MAX_LIFE,
    ROTATE_AFTER,
    KeyWorld,
    in_world,
    key_settings,
)


def test_rotate_switches_at_once_to_a_key_that_everyone_has_seen(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure()
        old, following = await world.only("active"), await world.only("published")
        world.now += JWKS_MAX_AGE + 1
        (done,) = await keys.rotate(actor="cli")
        assert (done.outcome, done.old_kid, done.new_kid) == ("switched", old.kid, following.kid)
        assert keys.current("ES256").kid == following.kid
        assert keys.verification_key(old.kid) is not None
        await world.only("published")
        assert ("signing_key:retired", old.kid, "cli") in await world.events()

    in_world(tmp_path, claim)


def test_rotate_soon_after_a_rotation_is_scheduled_and_says_for_when(tmp_path: Path) -> None:
    """Only the time since the publication of the next key is missing."""

    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure()
        old, following = await world.only("active"), await world.only("published")
        world.now += JWKS_MAX_AGE - 1
        (done,) = await keys.rotate()
        assert (done.outcome, done.at) == ("scheduled", following.published_at + JWKS_MAX_AGE)
        await keys.tick()
        assert keys.current("ES256").kid == old.kid
        world.now = done.at
        await world.process().tick()  # another process, or this one after a restart
        await keys.refresh(await world.storage.positions())
        assert keys.current("ES256").kid == following.kid
        world.now += ROTATE_AFTER // 2
        await keys.tick()
        assert keys.current("ES256").kid == following.kid  # asked once, done once

    in_world(tmp_path, claim)


def test_rotate_one_algorithm_leaves_the_others(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure(["EdDSA"])
        before = {alg: keys.current(alg).kid for alg in ("ES256", "EdDSA")}
        world.now += JWKS_MAX_AGE + 1
        await keys.rotate("EdDSA")
        assert keys.current("ES256").kid == before["ES256"]
        assert keys.current("EdDSA").kid != before["EdDSA"]

    in_world(tmp_path, claim)


def test_rotate_an_algorithm_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure()
        with pytest.raises(ConfigurationError, match=r"RS256.*ES256"):
            await keys.rotate("RS256")

    in_world(tmp_path, claim)


def test_the_audit_key_rotates_at_once(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure()
        old, token_key = keys.current("ES256", use="audit").kid, keys.current("ES256").kid
        (done,) = await keys.rotate(use="audit")
        assert done.outcome == "switched"
        assert keys.current("ES256", use="audit").kid == done.new_kid != old
        assert keys.current("ES256").kid == token_key

    in_world(tmp_path, claim)


@dataclass
class Verifier:
    """An API that keeps the JWKS exactly as long as it may, and asks at no other time, not even for an unknown kid."""

    fetched_at: float = -1e18
    known: set[str] = field(default_factory=set)

    def knows(self, kid: str, keys: SigningKeys, now: float) -> bool:
        if now - self.fetched_at >= JWKS_MAX_AGE:
            self.fetched_at = now
            self.known = {key["kid"] for key in json.loads(keys.jwks())["keys"]}
        return kid in self.known


@pytest.mark.parametrize("seed", range(6))
def test_no_valid_token_is_refused_through_many_rotations_whatever_the_moment(tmp_path: Path, seed: int) -> None:
    """standards 117: by schedule and by command, at any moment, with caches of any age."""
    choice = random.Random(seed)  # noqa: S311 - a reproducible walk, no secret

    async def claim(world: KeyWorld) -> None:
        settings = key_settings(rotate_after=1500, publish_before=choice.choice([300, 900]))
        processes = [world.process(settings=settings), world.process(settings=settings)]
        await processes[0].ensure()
        verifiers, tokens, seen = [Verifier() for _ in range(5)], list[tuple[str, float]](), set[str]()
        for _ in range(400):
            world.now += choice.choice([0.3, 1, 20, 60, 299, 300])
            act = choice.random()
            if act < 0.5:
                await choice.choice(processes).tick()
            elif act < 0.6:
                await choice.choice(processes).rotate()
            for process in processes:
                await process.refresh(await world.storage.positions())
            kid = choice.choice(processes).current("ES256").kid
            seen.add(kid)
            tokens = [token for token in tokens if token[1] > world.now] + [(kid, world.now + MAX_LIFE)]
            for verifier in choice.sample(verifiers, 2):
                for token, _ in tokens:
                    assert verifier.knows(token, choice.choice(processes), world.now)
                    assert processes[0].verification_key(token) is not None
        assert len(seen) > 5

    in_world(tmp_path, claim)


def token_of(kid: str, rev: int, now: float) -> AccessToken:
    end = int(now) + MAX_LIFE
    api = "https://a.example"
    return AccessToken("j", "self-contained", None, "c", "c", "g", api, "", "t", kid, rev, int(now), end)


def test_a_compromised_key_is_refused_at_once_and_its_tokens_end(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        keys, other = world.process(), world.process()
        await keys.ensure()
        old, following = await world.only("active"), await world.only("published")
        token = jws.sign(b"{}", keys.current("ES256"), typ="at+jwt")
        rev = (await world.storage.positions()).revocation
        (done,) = await keys.rotate(compromised=True, actor="admin:root")
        assert (done.outcome, done.old_kid, done.new_kid) == ("withdrawn", old.kid, following.kid)
        for process in (keys, other):
            await process.refresh(await world.storage.positions())
            assert process.verification_key(jws.parse(token).header.kid or "") is None
            assert old.kid not in process.jwks().decode()
            assert process.current("ES256").kid == following.kid
        async with world.storage.read() as work:
            (row,) = await work.revocations.since(rev)
            assert (row.kind, row.value) == ("signing_key", old.kid)
            assert row.expires_at >= int(world.now) + MAX_LIFE
            assert await work.revocations.ends(token_of(old.kid, rev, world.now)) is not None
            assert await work.revocations.ends(token_of(following.kid, rev, world.now)) is None
        withdrawn = await world.only("withdrawn")
        assert (withdrawn.kid, withdrawn.wrapped_private_key) == (old.kid, b"")
        assert ("signing_key:withdrawn", old.kid, "admin:root") in await world.events()
        await world.only("published")

    in_world(tmp_path, claim)


@pytest.mark.parametrize("state", ["published", "retired"])
def test_a_compromised_key_that_does_not_sign_is_withdrawn_by_name(tmp_path: Path, state: str) -> None:
    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure()
        world.now += JWKS_MAX_AGE + 1
        await keys.rotate()
        named, active = (await world.only(state)).kid, keys.current("ES256").kid
        await keys.rotate(compromised=True, kid=named)
        assert keys.verification_key(named) is None
        assert keys.current("ES256").kid == active
        await world.only("published")

    in_world(tmp_path, claim)


def test_a_key_is_withdrawn_once_and_one_that_is_unknown_not_at_all(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure()
        old = keys.current("ES256").kid
        await keys.rotate(compromised=True)
        for kid in (old, "unknown"):
            with pytest.raises(ConfigurationError, match="to withdraw"):
                await keys.rotate(compromised=True, kid=kid)
        with pytest.raises(ConfigurationError, match="--compromised"):
            await keys.rotate(kid=old)

    in_world(tmp_path, claim)


def test_a_withdrawn_key_never_comes_back_and_is_removed_in_the_end(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure()
        old = keys.current("ES256").kid
        await keys.rotate(compromised=True)
        world.now += KEEP + 1
        await keys.tick()
        assert (await world.states())[old] == "removed"
        assert keys.verification_key(old) is None

    in_world(tmp_path, claim)


def test_withdrawing_the_active_key_forgets_a_scheduled_rotation(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure()
        (asked,) = await keys.rotate()
        assert asked.outcome == "scheduled"
        await keys.rotate(compromised=True)
        new = keys.current("ES256").kid
        world.now += JWKS_MAX_AGE * 2
        await keys.tick()
        assert keys.current("ES256").kid == new

    in_world(tmp_path, claim)
