"""What stands in ostiary.toml is in the database after a start, what left it is ended, and nobody's key is taken."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ostiary.authorization_server.static_registration import synchronize
from ostiary.errors import ConfigurationError
from ostiary.model.api import Api
from ostiary.model.client import Client
from ostiary.model.client_key import ClientKey
from ostiary.protocol.jwk import SigningKey
from ostiary.revocation import Act, retire_client_key, revoke_client, revoke_client_key
from ostiary.settings import Settings, load_settings
from tests.authorization_server.key_world import KeyWorld, in_world

ORDERS = "https://orders.example.com"
ONE, TWO, THREE = (SigningKey.generate("ES256", kid=name) for name in ("one", "two", "three"))
API = f'[static.apis.orders]\nidentifier = "{ORDERS}"\nscopes = {{"read" = "Read orders", "write" = "Change orders"}}\n'
SHOP = f'[static.clients.shop]\nowner = "team shop"\nkeys = ["one.jwk"]\nscopes = {{"{ORDERS}" = ["read"]}}\n'


class Files:
    """A folder with the settings file, and ``one.jwk``, ``two.jwk``, ``three.jwk``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for key in (ONE, TWO, THREE):
            (folder / f"{key.kid}.jwk").write_text(json.dumps(key.verification_key.public_jwk()))

    def settings(self, text: str) -> Settings:
        path = self.folder / "ostiary.toml"
        path.write_text('issuer = "https://auth.example.com"\n' + text)
        return load_settings(path, {})


Claim = Callable[[KeyWorld, Files], Awaitable[None]]


def holds(folder: Path, claim: Claim) -> None:
    async def run(world: KeyWorld) -> None:
        await claim(world, Files(folder))

    in_world(folder, run)


async def synchronized(world: KeyWorld, files: Files, text: str) -> int:
    return await synchronize(world.storage, files.settings(text), world.clock)


async def client(world: KeyWorld, client_id: str = "shop") -> Client:
    async with world.storage.read() as work:
        found = await work.clients.get(client_id)
    if found is None:
        raise AssertionError(f"there is no {client_id}")
    return found


async def key_state(world: KeyWorld, key: SigningKey) -> str:
    async with world.storage.read() as work:
        found = await work.client_keys.by_thumbprint(key.verification_key.thumbprint)
    return found.state if found else "absent"


async def refusal(world: KeyWorld, files: Files, text: str) -> str:
    """The sentence, after proving that nothing was written."""
    before = await world.storage.positions()
    with pytest.raises(ConfigurationError) as refused:
        await synchronized(world, files, text)
    assert await world.storage.positions() == before
    return str(refused.value)


async def register(world: KeyWorld, client_id: str, key: SigningKey, owner: str = "team other") -> None:
    """As a command would."""
    async with world.storage.write() as work:
        template = Client(
            client_id, "", "client", "active", owner, "registered", "private_key_jwt", (), {}, None, None, False,
            8, "g", 0, 0,
        )  # fmt: skip
        await work.clients.add(template)
        public = key.verification_key
        jwk = json.dumps(public.public_jwk())
        await work.client_keys.add(
            ClientKey(
                client_id, key.kid, public.thumbprint, key.alg, jwk, "registered", "active", owner, 0, None, None,
                0, None,
            )
        )  # fmt: skip


def test_a_client_and_an_api_of_the_file_are_registered_as_static(tmp_path: Path) -> None:
    async def claim(world: KeyWorld, files: Files) -> None:
        assert await synchronized(world, files, API + SHOP) == 3
        shop = await client(world)
        assert (shop.source, shop.state, shop.kind, shop.owner) == ("static", "active", "client", "team shop")
        assert shop.scopes == {ORDERS: ("read",)}
        assert shop.authentication_method == "private_key_jwt"
        async with world.storage.read() as work:
            (key,) = await work.client_keys.of_client("shop")
            api = await work.apis.get(ORDERS)
            grant = await work.grants.get(shop.grant_id)
        assert (key.source, key.kid, key.alg) == ("static", "one", "ES256")
        assert key.usable(world.now)
        assert api is not None
        assert (api.name, api.source, api.token_life, api.client_id) == ("orders", "static", 600, None)
        assert grant is not None
        assert (grant.client_id, grant.kind) == ("shop", "client_credentials")
        tags = [tag for tag, _, actor in await world.events() if actor == "configuration"]
        assert tags == ["api:created", "client:created", "client:key_added", "static:synchronized"]

    holds(tmp_path, claim)


def test_a_second_start_with_the_same_file_changes_nothing(tmp_path: Path) -> None:
    async def claim(world: KeyWorld, files: Files) -> None:
        await synchronized(world, files, API + SHOP)
        before = await world.storage.positions()
        world.now += 1000
        assert await synchronized(world, files, API + SHOP) == 0
        assert await world.storage.positions() == before

    holds(tmp_path, claim)


def test_a_change_in_the_file_changes_the_records_and_keeps_the_grant(tmp_path: Path) -> None:
    async def claim(world: KeyWorld, files: Files) -> None:
        await synchronized(world, files, API + SHOP)
        before = await client(world)
        await synchronized(world, files, API.replace("Read", "See") + SHOP.replace('"read"]', '"read", "write"]'))
        after = await client(world)
        assert after == replace(before, scopes={ORDERS: ("read", "write")}, updated_at=after.updated_at)
        async with world.storage.read() as work:
            api = await work.apis.get(ORDERS)
        assert api is not None
        assert api.scopes["read"] == "See orders"

    holds(tmp_path, claim)


def test_an_api_with_keys_gets_an_identity_of_its_own(tmp_path: Path) -> None:
    async def claim(world: KeyWorld, files: Files) -> None:
        await synchronized(world, files, API + 'keys = ["two.jwk"]\n')
        identity = await client(world, "api_orders")
        assert (identity.kind, identity.grant_types) == ("api", ())
        async with world.storage.read() as work:
            (api,) = await work.apis.by_client("api_orders")
            (key,) = await work.client_keys.of_client("api_orders")
        assert (api.identifier, key.kid) == (ORDERS, "two")

    holds(tmp_path, claim)


def test_a_client_that_left_the_file_is_disabled_with_its_tokens_and_comes_back_with_it(tmp_path: Path) -> None:
    async def claim(world: KeyWorld, files: Files) -> None:
        await synchronized(world, files, API + SHOP)
        await synchronized(world, files, API)
        assert (await client(world)).state == "disabled"
        async with world.storage.read() as work:
            assert [(row.kind, row.value) for row in await work.revocations.since(0)] == [("client", "shop")]
        await synchronized(world, files, API + SHOP)
        assert (await client(world)).state == "active"
        assert await key_state(world, ONE) == "active"

    holds(tmp_path, claim)


def test_a_key_that_left_the_file_is_retired_and_comes_back_with_it(tmp_path: Path) -> None:
    async def claim(world: KeyWorld, files: Files) -> None:
        both = SHOP.replace('"one.jwk"', '"one.jwk", "two.jwk"')
        await synchronized(world, files, API + both)
        await synchronized(world, files, API + SHOP)
        assert (await key_state(world, ONE), await key_state(world, TWO)) == ("active", "retired")
        async with world.storage.read() as work:
            assert await work.revocations.since(0) == []  # what it obtained stays good
        await synchronized(world, files, API + both)
        assert await key_state(world, TWO) == "active"

    holds(tmp_path, claim)


def test_an_api_that_left_the_file_is_disabled_and_comes_back_with_it(tmp_path: Path) -> None:
    async def claim(world: KeyWorld, files: Files) -> None:
        states = []
        for text in (API, "", API):
            await synchronized(world, files, text)
            async with world.storage.read() as work:
                api = await work.apis.get(ORDERS)
            states.append(api.state if api else "absent")
        assert states == ["active", "disabled", "active"]

    holds(tmp_path, claim)


def test_what_an_operator_ended_stays_ended_though_it_stands_in_the_file(tmp_path: Path) -> None:
    async def claim(world: KeyWorld, files: Files) -> None:
        text = API + SHOP.replace('"one.jwk"', '"one.jwk", "two.jwk"') + '[static.clients.bill]\nkeys = ["three.jwk"]\n'
        await synchronized(world, files, text)
        async with world.storage.write() as work:
            act = Act("cli", world.now)
            await retire_client_key(work, ONE.verification_key.thumbprint, act)
            await revoke_client_key(work, TWO.verification_key.thumbprint, act)
            await revoke_client(work, "bill", act)
        await synchronized(world, files, text)
        assert (await key_state(world, ONE), await key_state(world, TWO)) == ("retired", "revoked")
        assert (await client(world, "bill")).state == "disabled"

    holds(tmp_path, claim)


def test_a_revoked_key_does_not_come_back_by_leaving_and_entering_the_file(tmp_path: Path) -> None:
    async def claim(world: KeyWorld, files: Files) -> None:
        await synchronized(world, files, API + SHOP)
        without = SHOP.replace('"one.jwk"', "")
        await synchronized(world, files, API + without)
        async with world.storage.write() as work:
            await revoke_client_key(work, ONE.verification_key.thumbprint, Act("cli", world.now))
        await synchronized(world, files, API + SHOP)
        assert await key_state(world, ONE) == "revoked"

    holds(tmp_path, claim)


def test_two_clients_that_name_one_key_are_refused_by_name_and_owner(tmp_path: Path) -> None:
    async def claim(world: KeyWorld, files: Files) -> None:
        sentence = await refusal(
            world, files, API + SHOP + '[static.clients.bill]\nowner = "team bill"\nkeys = ["one.jwk"]\n'
        )
        for part in ("'shop' (owner: team shop)", "'bill' (owner: team bill)", "one.jwk"):
            assert part in sentence

    holds(tmp_path, claim)


def test_a_key_that_is_registered_for_another_client_is_refused_by_name_and_owner(tmp_path: Path) -> None:
    async def claim(world: KeyWorld, files: Files) -> None:
        await register(world, "bill", ONE, "team bill")
        sentence = await refusal(world, files, API + SHOP)
        for part in ("'shop' (owner: team shop)", "'bill' (owner: team bill)"):
            assert part in sentence

    holds(tmp_path, claim)


def test_a_key_does_not_move_from_one_static_client_to_another(tmp_path: Path) -> None:
    async def claim(world: KeyWorld, files: Files) -> None:
        await synchronized(world, files, API + SHOP)
        sentence = await refusal(world, files, '[static.clients.bill]\nkeys = ["one.jwk"]\n')
        assert "'shop'" in sentence

    holds(tmp_path, claim)


def test_a_static_client_may_have_registered_keys_beside_its_own(tmp_path: Path) -> None:
    async def claim(world: KeyWorld, files: Files) -> None:
        await synchronized(world, files, API + SHOP)
        async with world.storage.write() as work:
            (own,) = await work.client_keys.of_client("shop")
            public = TWO.verification_key
            jwk = json.dumps(public.public_jwk())
            further = replace(own, kid="two", thumbprint=public.thumbprint, jwk=jwk, source="registered")
            await work.client_keys.add(further)
        assert await synchronized(world, files, API + SHOP) == 0
        assert await key_state(world, TWO) == "active"

    holds(tmp_path, claim)


def test_a_client_or_an_api_that_was_registered_by_command_is_not_taken_over(tmp_path: Path) -> None:
    async def claim(world: KeyWorld, files: Files) -> None:
        await register(world, "shop", TWO)
        assert "static.clients.shop" in await refusal(world, files, API + SHOP)
        async with world.storage.write() as work:
            await work.apis.add(Api(ORDERS, "o", "active", "registered", "", None, {}, "reference", "ES256", 60, 0, 0))
        assert "static.apis.orders" in await refusal(world, files, API)

    holds(tmp_path, claim)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (SHOP, f"no API '{ORDERS}'"),
        (API + SHOP.replace('["read"]', '["reed"]'), "has no scope reed"),
        ('[static.clients.shop]\nkeys = ["absent.jwk"]\n', "cannot be read"),
        ('[static.clients.shop]\nkeys = ["private.jwk"]\n', "private key"),
        ('[static.clients.shop]\nkeys = ["shared.jwk"]\n', "shared secret"),
        ('[static.clients.shop]\nkeys = ["weak.jwk"]\n', "refused"),
        ('[static.clients.shop]\nkeys = ["one.jwk", "one.jwk"]\n', "name it once"),
        ('[static.clients.shop]\nkeys = ["one.jwk", "same-kid.jwk"]\n', "kid 'one'"),
        (API + 'keys = ["one.jwk"]\n[static.clients.api_orders]\n', "rename one"),
    ],
)
def test_a_fault_of_the_file_writes_nothing(tmp_path: Path, text: str, part: str) -> None:
    """standards 118: weak keys; private and shared keys too."""
    (tmp_path / "private.jwk").write_text(json.dumps(ONE.private_jwk()))
    (tmp_path / "shared.jwk").write_text('{"kty": "oct", "k": "AAAA"}')
    (tmp_path / "weak.jwk").write_text(json.dumps({"kty": "RSA", "alg": "RS256", "e": "AQAB", "n": "w" * 171}))
    (tmp_path / "same-kid.jwk").write_text(
        json.dumps(SigningKey.generate("ES256", kid="one").verification_key.public_jwk())
    )

    async def claim(world: KeyWorld, files: Files) -> None:
        assert part in await refusal(world, files, text)

    holds(tmp_path, claim)
