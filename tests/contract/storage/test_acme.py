"""What ACME keeps: each change names the state that it starts from, and has one winner."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ostiary.certificate_authority.acme.ordering import KEPT, ORDER_LIFE, new_order
from ostiary.model.acme import AcmeAccount, AcmeChallenge, AcmeCredential
from ostiary.storage.base import Storage
from tests.contract.storage.examples import NOW

pytestmark = pytest.mark.anyio

CREDENTIAL = AcmeCredential("kid", "ops", ("example.com",), ("10.0.0.0/8",), b"sealed", "active", NOW)
ACCOUNT = AcmeAccount("a1", "kid", "ops", "{}", "ES256", "thumb", ("mailto:a@example.com",), "valid", NOW)
NEW = new_order("a1", ("dns:www.example.com", "ip:10.0.0.1"), NOW, not_after=NOW + 9, replaces="cert")


async def _add(storage: Storage) -> None:
    async with storage.write() as work:
        await work.acme_orders.add(NEW.order, NEW.authorizations, NEW.challenges)


async def test_a_credential_is_found_listed_and_revoked_once(storage: Storage) -> None:
    async with storage.write() as work:
        await work.acme_credentials.add(CREDENTIAL)
    async with storage.write() as work:
        assert await work.acme_credentials.get("kid") == CREDENTIAL
        assert [await work.acme_credentials.revoke("kid", at=NOW + 1) for _ in range(2)] == [True, False]
        assert await work.acme_credentials.list() == [replace(CREDENTIAL, state="revoked", revoked_at=NOW + 1)]
        assert not await work.acme_credentials.revoke("other", at=NOW)


async def test_a_key_has_one_account(storage: Storage) -> None:
    async with storage.write() as work:
        assert await work.acme_accounts.add(ACCOUNT)
        assert not await work.acme_accounts.add(replace(ACCOUNT, account_id="a2"))
        assert await work.acme_accounts.by_thumbprint("thumb") == ACCOUNT
        assert await work.acme_accounts.count("kid") == 1
        assert await work.acme_accounts.count("") == 0


async def test_a_deactivated_account_changes_no_more(storage: Storage) -> None:
    ended = replace(ACCOUNT, state="deactivated")
    async with storage.write() as work:
        await work.acme_accounts.add(ACCOUNT)
        assert await work.acme_accounts.replace(ended)
        assert not await work.acme_accounts.replace(ACCOUNT)
        assert await work.acme_accounts.get("a1") == ended


async def test_an_order_is_found_with_its_parts(storage: Storage) -> None:
    await _add(storage)
    async with storage.read() as work:
        orders = work.acme_orders
        assert await orders.get(NEW.order.order_id) == NEW.order
        assert await orders.of_account("a1") == [NEW.order]
        assert await orders.replacing("cert") == [NEW.order]
        assert await orders.open("a1", now=NOW) == 1
        assert await orders.open("a1", now=NOW + ORDER_LIFE) == 0
        assert set(await orders.authorizations(NEW.order.order_id)) == set(NEW.authorizations)
        first = NEW.authorizations[0].authorization_id
        assert [one.kind for one in await orders.challenges(first)] == ["dns-01", "http-01", "tls-alpn-01"]


async def test_of_two_that_finalize_at_once_one_wins(storage: Storage) -> None:
    await _add(storage)

    async def move(serial: str) -> bool:
        async with storage.write() as work:
            return await work.acme_orders.move(replace(NEW.order, state="valid", serial=serial), was="pending")

    assert sorted(await asyncio.gather(*map(move, "abcdef"))) == [False] * 5 + [True]


async def test_of_two_that_take_a_challenge_one_wins(storage: Storage) -> None:
    await _add(storage)
    challenge = replace(NEW.challenges[0], state="processing", due_at=NOW)
    async with storage.write() as work:
        assert await work.acme_orders.move_challenge(challenge, was="pending", attempts=0)
    async with storage.read() as work:
        assert await work.acme_orders.due(NOW - 1) == []
        assert await work.acme_orders.due(NOW) == [challenge]

    async def take(due_at: int) -> bool:
        taken: AcmeChallenge = replace(challenge, attempts=1, due_at=due_at)
        async with storage.write() as work:
            return await work.acme_orders.move_challenge(taken, was="processing", attempts=0)

    assert sorted(await asyncio.gather(*map(take, range(NOW, NOW + 6)))) == [False] * 5 + [True]


async def test_what_an_account_has_proved_is_known_until_its_authorization_ends(storage: Storage) -> None:
    await _add(storage)
    proved = replace(NEW.authorizations[0], state="valid")
    async with storage.write() as work:
        assert await work.acme_orders.proved("a1", now=NOW) == set()
        assert await work.acme_orders.move_authorization(proved, was="pending")
    async with storage.read() as work:
        assert await work.acme_orders.proved("a1", now=NOW) == {proved.identifier}
        assert await work.acme_orders.proved("a2", now=NOW) == set()
        assert await work.acme_orders.proved("a1", now=proved.ends_at) == set()


async def test_an_account_with_many_challenges_keeps_no_other_one_waiting(storage: Storage) -> None:
    many = new_order("a1", [f"dns:host{number}.example.com" for number in range(9)], NOW)
    few = new_order("a2", ("dns:www.example.org",), NOW)
    async with storage.write() as work:
        for new, due_at in ((many, NOW - 60), (few, NOW)):
            begun = [replace(one, state="processing", due_at=due_at) for one in new.challenges]
            await work.acme_orders.add(new.order, new.authorizations, begun)
    async with storage.read() as work:
        due = await work.acme_orders.due(NOW, limit=4)
    assert [one.account_id for one in due] == ["a1", "a2", "a1", "a2"]


async def test_an_order_ends_with_its_parts(storage: Storage) -> None:
    await _add(storage)
    await storage.expire(NOW + ORDER_LIFE + KEPT - 1)
    async with storage.read() as work:
        assert await work.acme_orders.get(NEW.order.order_id) is not None
    while await storage.expire(NOW + ORDER_LIFE + KEPT):
        pass
    async with storage.read() as work:
        assert await work.acme_orders.get(NEW.order.order_id) is None
        assert await work.acme_orders.authorization(NEW.authorizations[0].authorization_id) is None
        assert await work.acme_orders.challenge(NEW.challenges[0].challenge_id) is None
