"""On PostgreSQL, where transactions run beside each other: what is issued at the moment of an end falls with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ostiary.admin import certificates as admin
from ostiary.admin.certificate_commands import NewCertificate
from ostiary.certificate_authority import issuing
from ostiary.certificate_authority.authorities import Authorities
from ostiary.client.certificate_request import signing_request
from ostiary.key_management.file import FileKeyManagement
from ostiary.model.certificate import Certificate
from ostiary.revocation import revoke_certificate, revoke_client, revoke_client_key
from ostiary.serving.tls.from_own_ca import own_certificate
from ostiary.storage.base import Storage, UnitOfWork
from ostiary.storage.open import storage_for
from tests.authorization_server.world import World, client_key
from tests.certificate_authority.authority import Ca, certificate_authority, new_key
from tests.certificate_authority.test_enrolment import CLIENT, RENEW, csr, proof

End = Callable[[Storage, Ca], Awaitable[object]]


@pytest.fixture
def ca(tmp_path: Path, migrated_postgres_url: str) -> Iterator[Ca]:
    world = World(tmp_path, storage=storage_for(migrated_postgres_url))
    world.add_client("shop")
    yield certificate_authority(world)
    world.close()


Finish = Callable[[], Coroutine[Any, Any, None]]


def ending(ca: Ca, url: str, monkeypatch: pytest.MonkeyPatch, end: End, moment: str = "after") -> Finish:
    """From now on ``end`` is begun, as by another process, around the writing of a certificate, before its commit.

    moment: before the writing, when all was checked that the request rests on, or after it. What this gives waits for
    the end of ``end``.
    """
    record = issuing.record
    tasks: list[asyncio.Task[None]] = []

    async def ended() -> None:
        other = storage_for(url)
        await other.open()
        try:
            await end(other, ca)
        finally:
            await other.close()

    async def record_and_end(*given: Any) -> None:
        if moment == "after":
            await record(*given)
        tasks.append(asyncio.create_task(ended()))
        await asyncio.wait((tasks[0], asyncio.create_task(_somebody_waits(url))), return_when=asyncio.FIRST_COMPLETED)
        if moment == "before":
            await record(*given)

    async def finish() -> None:
        await tasks[0]

    monkeypatch.setattr(issuing, "record", record_and_end)
    return finish


async def _somebody_waits(url: str) -> None:
    """Ends when a transaction waits for another one, or after two seconds in which none did."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as watcher:
        for _ in range(200):
            row = await (await watcher.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")).fetchone()
            if row and row[0]:
                return
            await watcher.execute("SELECT pg_sleep(0.01)")


def written(storage: Storage, act: Callable[[UnitOfWork], Awaitable[object]]) -> Awaitable[object]:
    async def inside() -> object:
        async with storage.write() as work:
            return await act(work)

    return inside()


def states(ca: Ca) -> set[str]:
    found: list[Certificate] = ca.world.read(lambda work: work.certificates.latest())
    return {one.state(ca.world.clock()) for one in found}


ENDS: dict[str, End] = {
    "client": lambda storage, ca: written(storage, lambda work: revoke_client(work, "shop", ca.act())),
    "key": lambda storage, ca: written(
        storage, lambda work: revoke_client_key(work, client_key("shop", "shop-1").thumbprint, ca.act())
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_client_or_key_that_ends_while_it_is_given_a_certificate_takes_that_along(
    ca: Ca, migrated_postgres_url: str, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    finish = ending(ca, migrated_postgres_url, monkeypatch, ENDS[end])
    assert ca.world.post(CLIENT, ca.world.form("shop", csr=csr())).status == 201
    ca.world.run(finish())
    assert states(ca) == {"revoked"}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("end", ["certificate", "client", "authority"])
def test_a_renewal_under_way_falls_with_what_it_rests_on(
    ca: Ca, migrated_postgres_url: str, monkeypatch: pytest.MonkeyPatch, end: str, moment: str
) -> None:
    key = new_key()
    present, request = ca.issue("client", key=key, client_id="shop", owner="team"), csr()
    ends: dict[str, End] = ENDS | {
        "certificate": lambda storage, ca: written(
            storage, lambda work: revoke_certificate(work, present.serial, ca.act(), "keyCompromise")
        ),
        "authority": _revoke_authority,
    }
    finish = ending(ca, migrated_postgres_url, monkeypatch, ends[end], moment)
    assert ca.world.post(RENEW, {"csr": request, "proof": proof(ca, present, key, request)}).status == 201
    ca.world.run(finish())
    assert states(ca) == {"revoked"}


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_certificate_that_an_operator_issues_meanwhile_falls_with_its_client(
    ca: Ca, migrated_postgres_url: str, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    finish = ending(ca, migrated_postgres_url, monkeypatch, ENDS["client"], moment)
    text = signing_request(new_key()).decode("ascii")
    command = NewCertificate(profile="client", csr=text, client_id="shop")
    ca.world.run(admin.issue(ca.authorities, command, ca.act()))
    ca.world.run(finish())
    assert states(ca) == {"revoked"}


def test_the_servers_own_certificate_falls_with_an_authority_that_is_revoked_meanwhile(
    ca: Ca, migrated_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = ending(ca, migrated_postgres_url, monkeypatch, _revoke_authority)
    ca.world.run(own_certificate(ca.authorities, ["auth.example.com"], ca.world.clock()))
    ca.world.run(finish())
    assert states(ca) == {"revoked"}


async def _revoke_authority(storage: Storage, ca: Ca) -> object:
    management = FileKeyManagement.from_settings(ca.world.settings.keys)
    elsewhere = Authorities(storage, management, ca.world.settings, ca.world.clock)
    life = replace(ca.life(), authorities=elsewhere)
    return await life.revoke(ca.root, ca.authorities.issuing().record.authority_id, ca.act())
