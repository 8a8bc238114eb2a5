"""Between a decision and its commit somebody changes what it rests on: what is written is right when it is written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from ostiary.authorization_server.exchange import MAX_ATTEMPTS
from ostiary.authorization_server.signing_keys import SigningKeys
from ostiary.key_management.file import FileKeyManagement
from ostiary.protocol import jws
from ostiary.revocation import Act, retire_client_key, revoke_client, revoke_client_key, revoke_grant
from ostiary.storage.base import UnitOfWork
from tests.authorization_server.world import NOW, ORDERS, World, signing_key
from tests.endpoints.test_introspect import FORMATS, INACTIVE, use_format

ACT = Act("cli", NOW)
THUMBPRINT = signing_key("shop-1").verification_key.thumbprint
Meddle = Callable[[World], Awaitable[None]]


class Meddling:
    """The storage of a world in which ``meddle`` happens after a request was decided and before it is written."""

    def __init__(self, world: World, meddle: Meddle, times: int = 1) -> None:
        self._world, self._meddle, self._times = world, meddle, times
        self._storage = world.storage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    @asynccontextmanager
    async def write(self, *, brief: bool = False) -> AsyncIterator[UnitOfWork]:
        if self._times:
            self._times -= 1
            await self._meddle(self._world)
        async with self._storage.write(brief=brief) as work:
            yield work


def meddle(world: World, act: Meddle, times: int = 1) -> None:
    storage: Any = Meddling(world, act, times)
    world.server.storage = storage


async def _disable_client(world: World) -> None:
    async with world.storage.write() as work:
        await revoke_client(work, "shop", ACT)


async def _retire_key(world: World) -> None:
    async with world.storage.write() as work:
        await retire_client_key(work, THUMBPRINT, ACT)


async def _revoke_key(world: World) -> None:
    async with world.storage.write() as work:
        await revoke_client_key(work, THUMBPRINT, ACT)


async def _end_grant(world: World) -> None:
    async with world.storage.write() as work:
        await revoke_grant(work, "gr_shop", ACT)


async def _disable_api(world: World) -> None:
    async with world.storage.write() as work:
        api = await work.apis.get(ORDERS)
        assert api is not None
        await work.apis.replace(replace(api, state="disabled"))


async def _withdraw_signing_key(world: World) -> None:
    """As another process does it: the keys that this one holds in memory are the old ones."""
    management = FileKeyManagement.from_settings(world.settings.keys)
    await SigningKeys(world.storage, management, world.settings, world.clock).rotate(compromised=True)


async def _change_something(world: World) -> None:
    async with world.storage.write() as work:
        client = await work.clients.get("other")
        assert client is not None
        await work.clients.replace(client)


def issued(world: World) -> list[Any]:
    return [row for row in world.audit() if row.tag == "token:issued"]


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("act", [_disable_client, _retire_key, _revoke_key, _end_grant, _disable_api])
def test_no_token_is_issued_on_a_decision_that_does_not_hold_any_more(world: World, act: Meddle, format_: str) -> None:
    """attack 33: ended between the check and the write."""
    use_format(world, format_)
    meddle(world, act)
    assert world.token().status in (400, 401)
    assert issued(world) == []


def test_a_token_signed_by_a_key_that_was_withdrawn_meanwhile_is_not_given_out(world: World) -> None:
    """standards 117; attack 33"""
    [old] = {jws.parse(world.access_token()).header.kid}
    meddle(world, _withdraw_signing_key)
    token = world.access_token()
    assert jws.parse(token).header.kid != old
    assert world.introspect(token).json["active"]


def test_a_revocation_meanwhile_is_told_to_the_api_that_asks(world: World) -> None:
    """attack 33"""
    token = world.access_token()
    meddle(world, _disable_client)
    assert world.introspect(token).body == INACTIVE


def test_a_change_that_does_not_concern_the_request_costs_it_nothing(world: World) -> None:
    meddle(world, _change_something, times=MAX_ATTEMPTS - 1)
    assert world.token().status == 200
    assert len(issued(world)) == 1


def test_a_request_that_cannot_be_decided_for_changes_is_refused(world: World) -> None:
    meddle(world, _change_something, times=MAX_ATTEMPTS)
    answer = world.token()
    assert (answer.status, answer.json["error"]) == (503, "temporarily_unavailable")
    assert issued(world) == []
