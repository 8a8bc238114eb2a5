"""Clients, their keys, APIs, grants and signing keys; every change raises the registry position for every process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from ostiary.errors import ConfigurationError
from ostiary.model.client_login import ClientLogin
from ostiary.model.mutual_tls import MutualTls
from ostiary.storage.base import Storage, UnitOfWork
from tests.contract.storage.conftest import OpenStorage
from tests.contract.storage.examples import NOW, api, client, client_key, grant, signing_key

pytestmark = pytest.mark.anyio

Change = Callable[[UnitOfWork], Awaitable[object]]

CHANGES: dict[str, Change] = {
    "client added": lambda work: work.clients.add(client("other")),
    "client replaced": lambda work: work.clients.replace(client(state="disabled")),
    "key added": lambda work: work.client_keys.add(client_key("thumb-2")),
    "key replaced": lambda work: work.client_keys.replace(client_key(expires_at=NOW)),
    "key state": lambda work: work.client_keys.set_state("thumb-1", "revoked"),
    "API added": lambda work: work.apis.add(api("https://other.example")),
    "API replaced": lambda work: work.apis.replace(api(state="disabled")),
    "grant added": lambda work: work.grants.add(grant("g2")),
    "grant ended": lambda work: work.grants.end("g1", NOW),
    "signing key added": lambda work: work.signing_keys.add(signing_key("signer-2")),
    "signing key replaced": lambda work: work.signing_keys.replace(signing_key(state="active")),
}
NO_CHANGES: dict[str, Change] = {
    "key touched": lambda work: work.client_keys.touch({"thumb-1": NOW}),
    "no such key": lambda work: work.client_keys.set_state("thumb-9", "revoked"),
    "no such grant": lambda work: work.grants.end("g9", NOW),
    "a mark": lambda work: work.replay.mark("billing", "j", expires_at=NOW + 60, now=NOW),
}


@pytest.fixture
async def registered(storage: Storage) -> Storage:
    async with storage.write() as work:
        await work.clients.add(client())
        await work.client_keys.add(client_key())
        await work.apis.add(api())
        await work.grants.add(grant())
        await work.signing_keys.add(signing_key())
    return storage


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_every_change_is_seen_by_the_next_call_of_another_process(
    registered: Storage, open_storage: OpenStorage, change: Change
) -> None:
    async with open_storage() as other:
        before = (await other.positions()).registry
        async with registered.write() as work:
            await change(work)
        assert (await other.positions()).registry == before + 1
        assert (await registered.positions()).registry == before + 1


@pytest.mark.parametrize("change", NO_CHANGES.values(), ids=NO_CHANGES)
async def test_what_changes_no_registration_leaves_the_position(registered: Storage, change: Change) -> None:
    before = await registered.positions()
    async with registered.write() as work:
        await change(work)
    assert await registered.positions() == before


async def test_a_rolled_back_change_leaves_the_position(registered: Storage) -> None:
    before = await registered.positions()
    with pytest.raises(RuntimeError):  # noqa: PT012 - the block is what is tested
        async with registered.write() as work:
            await work.clients.replace(client(state="disabled"))
            await work.positions()
            raise RuntimeError
    assert await registered.positions() == before
    async with registered.write() as work:
        assert await work.positions() == before


async def test_a_write_that_checks_the_position_cannot_be_passed_by_a_change(
    registered: Storage, open_storage: OpenStorage
) -> None:
    """attack 33: a client that is disabled gets no token from a decision that rests on an older registry."""
    async with open_storage() as other:
        before = (await registered.positions()).registry
        async with other.write() as work:
            await work.clients.replace(client(state="disabled"))
        async with registered.write() as work:
            assert (await work.positions()).registry == before + 1


async def test_a_client_comes_back_as_it_was_written(storage: Storage) -> None:
    full = client(token_life=60, jwks_uri="https://billing.example/jwks", may_register_keys=False, grant_types=())
    async with storage.write() as work:
        await work.clients.add(full)
        assert await work.clients.get("billing") == full
        await work.clients.replace(client())
    async with storage.read() as work:
        assert await work.clients.get("billing") == client()
        assert await work.clients.get("Billing") is None


async def test_clients_are_listed_by_id_and_in_pages(storage: Storage) -> None:
    async with storage.write() as work:
        for name in ("b", "c", "a"):
            await work.clients.add(client(name))
        assert [row.client_id for row in await work.clients.list(limit=2)] == ["a", "b"]
        assert [row.client_id for row in await work.clients.list(after="b")] == ["c"]


async def test_what_stands_in_the_file_is_listed_without_the_others(storage: Storage) -> None:
    names = ("a", "b", "c", "d")
    async with storage.write() as work:
        for name in names:
            source: Any = "registered" if name == "b" else "static"
            await work.clients.add(client(name, source=source, state="disabled" if name == "c" else "active"))
            await work.apis.add(api(name, source=source, state="disabled" if name == "c" else "active"))
        pages = [await work.clients.static(limit=2), await work.clients.static(after="c", limit=2)]
        assert [[row.client_id for row in page] for page in pages] == [["a", "c"], ["d"]]
        assert pages[1] == [client("d", source="static")]
        found = [await work.apis.static(limit=2), await work.apis.static(after="c", limit=2)]
        assert [[row.identifier for row in page] for page in found] == [["a", "c"], ["d"]]
        assert found[1] == [api("d", source="static")]


async def test_applications_are_the_active_clients_with_a_login(storage: Storage) -> None:
    login = ClientLogin(redirect_uris=("https://app.example/callback",))
    async with storage.write() as work:
        for name, changes in {"a": login, "b": None, "c": login, "d": login}.items():
            await work.clients.add(client(name, login=changes, state="disabled" if name == "c" else "active"))
        assert await work.clients.applications() == [client("a", login=login), client("d", login=login)]
        assert await work.clients.applications(after="a", limit=1) == [client("d", login=login)]
        await work.clients.replace(client("b", login=login))
        await work.clients.replace(client("d"))
        assert [row.client_id for row in await work.clients.applications()] == ["a", "b"]


async def test_apis_come_back_as_they_were_written(storage: Storage) -> None:
    async with storage.write() as work:
        await work.apis.add(api())
        await work.apis.add(api("https://a.example", client_id="api_a", token_format="reference", scopes={}))
        found = await work.apis.get("https://orders.example")
        assert found == api()
        assert found.status_list is False
        assert [row.identifier for row in await work.apis.by_client("api_a")] == ["https://a.example"]
        assert [row.identifier for row in await work.apis.list()] == ["https://a.example", "https://orders.example"]
        assert [row.identifier for row in await work.apis.list(after="https://a.example")] == ["https://orders.example"]
        await work.apis.replace(api(token_life=5))
        assert await work.apis.get("https://orders.example") == api(token_life=5)


async def test_a_grant_ends_once(storage: Storage) -> None:
    async with storage.write() as work:
        await work.grants.add(grant())
        assert await work.grants.end("g1", NOW)
        assert not await work.grants.end("g1", NOW + 5)
        assert await work.grants.get("g1") == grant(ended_at=NOW)


async def test_what_users_allowed_a_client_ends_at_once_and_its_own_grant_stays(storage: Storage) -> None:
    ended, of_user = grant("g2", user_id="usr_1", ended_at=NOW - 5), grant("g3", user_id="usr_1")
    elsewhere = grant("g4", user_id="usr_1", client_id="other")
    async with storage.write() as work:
        for one in (grant(), ended, of_user, elsewhere):
            await work.grants.add(one)
        await work.grants.end_of_users("billing", NOW)
    async with storage.read() as work:
        found = [await work.grants.get(f"g{number}") for number in range(1, 5)]
    assert found == [grant(), ended, grant("g3", user_id="usr_1", ended_at=NOW), elsewhere]


async def test_signing_keys_are_listed_by_use(storage: Storage) -> None:
    audit_key = signing_key("auditor", use="audit", published_at=NOW - 1)
    async with storage.write() as work:
        await work.signing_keys.add(signing_key())
        await work.signing_keys.add(audit_key)
        await work.signing_keys.replace(signing_key(state="active", activated_at=NOW + 1))
        assert await work.signing_keys.list() == [audit_key, signing_key(state="active", activated_at=NOW + 1)]
        assert await work.signing_keys.list("audit") == [audit_key]


async def test_a_key_is_found_by_client_and_kid_and_by_thumbprint(storage: Storage) -> None:
    async with storage.write() as work:
        await work.client_keys.add(client_key(expires_at=NOW + 5))
        assert await work.client_keys.get("billing", "kid-of-thumb-1") == client_key(expires_at=NOW + 5)
        assert await work.client_keys.get("other", "kid-of-thumb-1") is None
        assert await work.client_keys.by_thumbprint("thumb-1") == client_key(expires_at=NOW + 5)
        assert await work.client_keys.by_thumbprint("thumb-2") is None
        assert await work.client_keys.of_client("billing") == [client_key(expires_at=NOW + 5)]


async def test_what_is_registered_for_mutual_tls_is_kept_and_replaced(storage: Storage) -> None:
    named = client(mutual_tls=MutualTls("san_dns", "billing.example", bound_tokens=True))
    async with storage.write() as work:
        await work.clients.add(client())
        await work.clients.replace(named)
        await work.client_keys.add(client_key())
        await work.client_keys.replace(client_key(certificate=b"\x30\x00der"))
    async with storage.read() as work:
        assert await work.clients.get("billing") == named
        assert await work.client_keys.by_thumbprint("thumb-1") == client_key(certificate=b"\x30\x00der")


async def test_the_active_keys_in_certificates_are_found_whosever_they_are(storage: Storage) -> None:
    found = [client_key("a", certificate=b"one"), client_key("c", certificate=b"two", client_id="other")]
    ended = client_key("b", certificate=b"three", state="revoked")
    async with storage.write() as work:
        for key in (*found, ended, client_key("d")):
            await work.client_keys.add(key)
    async with storage.read() as work:
        assert await work.client_keys.in_certificates() == found


async def test_the_same_key_is_refused_for_another_client_and_the_sentence_names_whose_it_is(storage: Storage) -> None:
    async with storage.write() as work:
        await work.client_keys.add(client_key())
        with pytest.raises(ConfigurationError, match="'kid-of-thumb-1' of client 'billing'") as refused:
            await work.client_keys.add(client_key(client_id="thief", kid="another"))
        assert "thumb-1'" not in str(refused.value).replace("kid-of-thumb-1'", "")
        assert "kty" not in str(refused.value)
        assert await work.client_keys.of_client("thief") == []


async def test_a_client_has_one_key_under_a_kid(storage: Storage) -> None:
    async with storage.write() as work:
        await work.client_keys.add(client_key(kid="main"))
        await work.client_keys.add(client_key("thumb-2", client_id="other", kid="main"))
        with pytest.raises(ConfigurationError, match="kid 'main'"):
            await work.client_keys.add(client_key("thumb-3", kid="main"))


async def test_descendants_are_the_whole_family_of_a_key(storage: Storage) -> None:
    async with storage.write() as work:
        for name, parent in (("root", None), ("child", "root"), ("grandchild", "child"), ("stranger", None)):
            await work.client_keys.add(client_key(name, parent=parent))
        found = [key.thumbprint for key in await work.client_keys.descendants("root")]
        assert sorted(found) == ["child", "grandchild"]
        assert await work.client_keys.descendants("grandchild") == []


async def test_the_last_use_of_a_key_never_goes_back(storage: Storage) -> None:
    async with storage.write() as work:
        await work.client_keys.add(client_key())
        await work.client_keys.add(client_key("thumb-2"))
        await work.client_keys.touch({"thumb-1": NOW + 60, "thumb-2": NOW})
        await work.client_keys.touch({"thumb-1": NOW + 10})
        assert await work.client_keys.by_thumbprint("thumb-1") == client_key(last_used_at=NOW + 60)
        assert await work.client_keys.by_thumbprint("thumb-2") == client_key("thumb-2", last_used_at=NOW)


async def test_what_is_registered_twice_is_refused_and_nothing_is_changed(storage: Storage) -> None:
    async with storage.write() as work:
        await work.clients.add(client())
        await work.apis.add(api())
        await work.grants.add(grant())
        await work.signing_keys.add(signing_key())
        with pytest.raises(ConfigurationError, match="client id 'billing' is taken"):
            await work.clients.add(client(owner="thief"))
        with pytest.raises(ConfigurationError, match=r"identifier 'https://orders\.example' exists"):
            await work.apis.add(api(owner="thief"))
        with pytest.raises(ConfigurationError, match="grant 'g1' exists"):
            await work.grants.add(grant(client_id="thief"))
        with pytest.raises(ConfigurationError, match="signing key 'signer-1' exists"):
            await work.signing_keys.add(signing_key(wrapped_private_key=b"thief"))
    async with storage.read() as work:
        assert await work.clients.get("billing") == client()
        assert await work.apis.get("https://orders.example") == api()
        assert await work.grants.get("g1") == grant()
        assert await work.signing_keys.list() == [signing_key()]


async def test_what_does_not_exist_cannot_be_replaced(storage: Storage) -> None:
    async with storage.write() as work:
        with pytest.raises(ConfigurationError, match="no client 'billing'"):
            await work.clients.replace(client())
        with pytest.raises(ConfigurationError, match="no API"):
            await work.apis.replace(api())
        with pytest.raises(ConfigurationError, match="no key"):
            await work.client_keys.replace(client_key())
        with pytest.raises(ConfigurationError, match="no signing key"):
            await work.signing_keys.replace(signing_key())
    assert (await storage.positions()).registry == 0


async def test_a_replaced_key_keeps_its_thumbprint(storage: Storage) -> None:
    async with storage.write() as work:
        await work.client_keys.add(client_key())
        await work.client_keys.replace(replace(client_key(), state="retired", owner="team-c"))
        assert await work.client_keys.by_thumbprint("thumb-1") == client_key(state="retired", owner="team-c")
        assert await work.client_keys.set_state("thumb-1", "revoked")
        assert not await work.client_keys.set_state("thumb-9", "revoked")
        assert await work.client_keys.by_thumbprint("thumb-1") == client_key(state="revoked", owner="team-c")
