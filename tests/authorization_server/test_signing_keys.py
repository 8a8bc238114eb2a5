"""The first signing keys, the schedule of their life, and what each process shows of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ostiary.errors import ConfigurationError, Unavailable
from ostiary.key_management.file import FileKeyManagement
from ostiary.model.api import Api
from ostiary.protocol import jws
from ostiary.storage.base import Positions
from tests.authorization_server.key_world import (
    KEEP,
    NEW_KEK,
    PUBLISH_BEFORE,
    ROTATE_AFTER,
    CountingKeyManagement,
    KeyWorld,
    in_world,
    key_settings,
)


def api(token_alg: str, token_format: str = "self-contained", state: str = "active") -> Api:
    return Api("https://a.example", "a", state, "registered", "", None, {}, token_format, token_alg, 60, 0, 0)  # type: ignore[arg-type]


def kids(jwks: bytes) -> list[str]:
    return [key["kid"] for key in json.loads(jwks)["keys"]]


def test_the_first_start_makes_an_active_and_a_next_key_and_an_audit_key(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure()
        assert sorted((await world.states()).values()) == ["active", "published"]
        assert list((await world.states("audit")).values()) == ["active"]
        token = jws.sign(b"{}", keys.current("ES256"), typ="at+jwt")
        key = keys.verification_key(jws.parse(token).header.kid or "")
        assert key is not None
        assert jws.verify(jws.parse(token), key) == b"{}"

    in_world(tmp_path, claim)


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        await world.process().ensure()
        before = await world.rows(), (await world.storage.positions()).registry
        management = CountingKeyManagement()
        await world.process(management).ensure()
        assert (await world.rows(), (await world.storage.positions()).registry) == before
        assert management.generated == []

    in_world(tmp_path, claim)


def test_the_kid_is_the_thumbprint_and_unique_in_the_set(tmp_path: Path) -> None:
    """standards 117."""

    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure(["EdDSA", "Ed25519", "ES384"])
        found = kids(keys.jwks())
        assert len(found) == len(set(found)) == 8
        for kid in found:
            key = keys.verification_key(kid)
            assert key is not None
            assert key.thumbprint == kid

    in_world(tmp_path, claim)


def test_the_jwks_holds_public_token_keys_only_and_never_the_audit_key(tmp_path: Path) -> None:
    """standards 68."""

    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure()
        audit = keys.current("ES256", use="audit").kid
        assert audit not in kids(keys.jwks())
        assert keys.verification_key(audit) is None
        assert keys.verification_key(audit, use="audit") is not None
        for jwk in json.loads(keys.jwks())["keys"]:
            assert jwk.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}

    in_world(tmp_path, claim)


def test_an_algorithm_that_nobody_asked_for_is_unavailable(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure()
        with pytest.raises(Unavailable, match="RS256"):
            keys.current("RS256")

    in_world(tmp_path, claim)


@pytest.mark.parametrize(
    ("wanting", "made"),
    [
        (api("EdDSA"), True),
        (api("EdDSA", token_format="reference"), False),
        (api("EdDSA", state="disabled"), False),
    ],
)
def test_an_api_that_wants_another_algorithm_gets_its_keys_at_the_next_tick(
    tmp_path: Path, wanting: Api, made: bool
) -> None:
    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure()
        async with world.storage.write() as work:
            await work.apis.add(wanting)
        await keys.tick()
        assert ("EdDSA" in {key.alg for key in await world.rows()}) == made

    in_world(tmp_path, claim)


def test_an_algorithm_that_is_not_allowed_is_refused(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        with pytest.raises(ConfigurationError, match="HS256"):
            await world.process().ensure(["HS256"])

    in_world(tmp_path, claim)


def test_the_entity_tag_and_the_bytes_change_only_with_the_keys(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        one, two = world.process(), world.process()
        await one.ensure()
        await two.refresh(await world.storage.positions())
        assert (one.jwks(), one.etag) == (two.jwks(), two.etag)
        assert one.etag.startswith('"')
        before = one.etag
        world.now += ROTATE_AFTER
        await one.tick()
        assert one.etag != before

    in_world(tmp_path, claim)


def test_the_schedule_switches_to_a_key_that_was_published_long_enough(tmp_path: Path) -> None:
    """standards 117."""

    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure()
        old, following = await world.only("active"), await world.only("published")
        world.now += ROTATE_AFTER - 1
        await keys.tick()
        assert keys.current("ES256").kid == old.kid
        world.now += 1
        await keys.tick()
        assert keys.current("ES256").kid == following.kid
        assert (await world.states())[old.kid] == "retired"
        assert (await world.only("published")).kid not in (old.kid, following.kid)

    in_world(tmp_path, claim)


def test_the_schedule_waits_for_a_next_key_that_is_too_new(tmp_path: Path) -> None:
    """standards 117: only the time since publication is missing."""

    async def claim(world: KeyWorld) -> None:
        keys = world.process(settings=key_settings(rotate_after=PUBLISH_BEFORE + 1))
        await keys.ensure()
        world.now += ROTATE_AFTER
        await keys.tick()  # switches, and publishes a new next key now
        switched = keys.current("ES256").kid
        async with world.storage.write() as work:  # as if the active key had been in use for long
            active = next(key for key in await work.signing_keys.list("token") if key.state == "active")
            await work.signing_keys.replace(replace(active, activated_at=0))
        world.now += PUBLISH_BEFORE - 1
        await keys.tick()
        assert keys.current("ES256").kid == switched
        world.now += 2
        await keys.tick()
        assert keys.current("ES256").kid != switched

    in_world(tmp_path, claim)


def test_a_retired_key_verifies_until_its_last_token_has_ended_and_its_private_half_goes_at_once(
    tmp_path: Path,
) -> None:
    """standards 117."""

    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure()
        old = (await world.only("active")).kid
        world.now += ROTATE_AFTER
        await keys.tick()
        assert (await world.only("retired")).wrapped_private_key == b""
        world.now += KEEP - 1
        await keys.tick()
        assert keys.verification_key(old) is not None
        assert old in kids(keys.jwks())
        world.now += 2
        await keys.tick()
        assert keys.verification_key(old) is None
        assert old not in kids(keys.jwks())
        assert (await world.states())[old] == "removed"

    in_world(tmp_path, claim)


def test_an_audit_key_is_replaced_by_schedule_and_verifies_for_good(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure()
        old = keys.current("ES256", use="audit").kid
        world.now += ROTATE_AFTER
        await keys.tick()
        assert keys.current("ES256", use="audit").kid != old
        world.now += 100 * KEEP
        await keys.tick()
        assert keys.verification_key(old, use="audit") is not None

    in_world(tmp_path, claim)


def test_each_stage_is_an_audit_event(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure()
        old, following = (await world.only("active")).kid, (await world.only("published")).kid
        world.now += ROTATE_AFTER
        await keys.tick()
        world.now += KEEP + 1
        await keys.tick()
        events = await world.events()
        assert [tag for tag, target, _ in events if target == old] == [
            "signing_key:published",
            "signing_key:activated",
            "signing_key:retired",
            "signing_key:removed",
        ]
        assert ("signing_key:activated", following, "server") in events

    in_world(tmp_path, claim)


def test_a_process_knows_the_change_of_another_as_soon_as_the_registry_has_moved(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        one, two = world.process(), world.process()
        await one.ensure()
        await two.refresh(await world.storage.positions())
        assert two.current("ES256").kid == one.current("ES256").kid
        world.now += ROTATE_AFTER
        await one.tick()
        await two.refresh(await world.storage.positions())
        assert two.current("ES256").kid == one.current("ES256").kid
        assert two.jwks() == one.jwks()

    in_world(tmp_path, claim)


def test_a_registry_that_has_not_moved_is_not_read_again(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        keys = world.process()
        await keys.ensure()
        positions = await world.storage.positions()
        await world.storage.close()
        await keys.refresh(Positions(positions.registry, positions.revocation + 1))
        assert keys.current("ES256")

    in_world(tmp_path, claim)


def test_a_wrong_key_encryption_key_signs_nothing_says_so_and_still_verifies(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        await world.process().ensure()
        active = await world.only("active")
        wrong = world.process(FileKeyManagement(lambda: NEW_KEK))
        await wrong.refresh(await world.storage.positions())
        with pytest.raises(Unavailable, match="key-encryption key"):
            wrong.current("ES256")
        assert wrong.verification_key(active.kid) is not None
        assert active.kid in kids(wrong.jwks())

    in_world(tmp_path, claim)


def test_a_wrong_key_encryption_key_adds_no_key_that_others_could_not_open(tmp_path: Path) -> None:
    async def claim(world: KeyWorld) -> None:
        await world.process().ensure()
        before = await world.rows()
        with pytest.raises(ConfigurationError, match="wrapped by the key-encryption key"):
            await world.process(FileKeyManagement(lambda: NEW_KEK)).ensure(["EdDSA"])
        assert await world.rows() == before

    in_world(tmp_path, claim)


def test_a_row_swapped_into_another_place_does_not_sign(tmp_path: Path) -> None:
    """standards 68: the wrapped audit key put under a token key's kid opens for nobody."""

    async def claim(world: KeyWorld) -> None:
        await world.process().ensure()
        audit = await world.only("active", "audit")
        async with world.storage.write() as work:
            active = next(key for key in await work.signing_keys.list("token") if key.state == "active")
            swapped = replace(active, wrapped_private_key=audit.wrapped_private_key)
            await work.signing_keys.replace(swapped)
        keys = world.process()
        await keys.refresh(await world.storage.positions())
        with pytest.raises(Unavailable, match="does not open"):
            keys.current("ES256")

    in_world(tmp_path, claim)
