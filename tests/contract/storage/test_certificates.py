"""What storage keeps of the private CA: who issued what, and revocation lists whose numbers rise for good."""

from __future__ import annotations

import asyncio

import pytest

from ostiary.model.certificate import Certificate
from ostiary.model.certificate_authority import RevocationList
from ostiary.storage.base import Storage
from tests.contract.storage.conftest import OpenStorage

pytestmark = pytest.mark.anyio


def certificate(serial: str, authority_id: str = "ca-1", not_after: int = 2_000) -> Certificate:
    return Certificate(
        serial=serial,
        authority_id=authority_id,
        profile="server",
        owner="ops",
        client_id="",
        identities=("dns:api.example.com",),
        thumbprint=f"x5t-{serial}",
        key_thumbprint=f"key-{serial}",
        certificate=b"der",
        proof="operator",
        not_before=1_000,
        not_after=not_after,
        issued_at=1_000,
        expires_at=9_000,
    )


def revocation_list(number: int, crl: bytes = b"der") -> RevocationList:
    return RevocationList("ca-1", number, crl, 1_000, 2_000)


async def test_of_an_authority_only_what_is_neither_revoked_nor_expired_nor_anothers(storage: Storage) -> None:
    async with storage.write() as work:
        for one in (
            certificate("b"),
            certificate("a"),
            certificate("revoked"),
            certificate("expired", not_after=1_500),
            certificate("another", "ca-2"),
        ):
            await work.certificates.add(one)
        await work.certificates.revoke("revoked", at=1_200, reason="superseded")
    async with storage.read() as work:
        found = await work.certificates.of_authority("ca-1", now=1_500)
    assert [one.serial for one in found] == ["a", "b"]


async def test_pages_lose_none_of_those_issued_in_one_second(storage: Storage) -> None:
    async with storage.write() as work:
        for serial in "abcde":
            await work.certificates.add(certificate(serial))
    seen: list[str] = []
    async with storage.read() as work:
        page = await work.certificates.latest(limit=2)
        while page:
            seen += [one.serial for one in page]
            page = await work.certificates.latest(before=page[-1].issued_at, beyond=page[-1].serial, limit=2)
        assert await work.certificates.latest(before=1_000) == []
    assert seen == list("abcde")


async def test_a_list_takes_the_place_of_one_with_a_lower_number_alone(storage: Storage) -> None:
    async with storage.write() as work:
        assert await work.revocation_lists.put(revocation_list(5))
        assert not await work.revocation_lists.put(revocation_list(5, b"other"))
        assert not await work.revocation_lists.put(revocation_list(4, b"other"))
        assert await work.revocation_lists.get("ca-1") == revocation_list(5)
        assert await work.revocation_lists.put(revocation_list(6, b"next"))
        assert await work.revocation_lists.get("ca-1") == revocation_list(6, b"next")


async def test_of_two_processes_one_puts_its_list(storage: Storage, open_storage: OpenStorage) -> None:
    async def put(through: Storage, crl: bytes) -> bool:
        async with through.write() as work:
            return await work.revocation_lists.put(revocation_list(1, crl))

    async with open_storage() as other:
        assert sorted(await asyncio.gather(put(storage, b"one"), put(other, b"two"))) == [False, True]
