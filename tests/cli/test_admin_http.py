"""What the operator's commands ask of an admin API elsewhere, whatever was typed."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from ostiary.admin.commands import ClientChanges
from ostiary.cli.admin_http import AdminHttp
from ostiary.cli.administration_remote import RemoteAdministration


@pytest.mark.parametrize(
    ("typed", "segment"),
    [
        ("shop", b"shop"),
        ("a/disable?x#y", b"a%2Fdisable%3Fx%23y"),
        ("../keys/rotate", b"..%2Fkeys%2Frotate"),
        ("..", b"%2E%2E"),
        (".", b"%2E"),
        ("shop.v2", b"shop.v2"),
    ],
)
def test_an_id_stays_one_segment_of_the_path(typed: str, segment: bytes) -> None:
    asked: list[bytes] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.raw_path)
        return httpx2.Response(200, json={})

    async def ask() -> None:
        transport = httpx2.MockTransport(answer)
        async with httpx2.AsyncClient(base_url="https://a.example/admin/", transport=transport) as http:
            remote = RemoteAdministration(AdminHttp(http), "https://a.example")
            await remote.client(typed)
            await remote.change_client(typed, ClientChanges(owner="us"))
            await remote.renew_secret(typed)
            await remote.users.disable(typed)
            await remote.users.end_session(typed)

    asyncio.run(ask())
    ends = (b"clients/%s", b"clients/%s", b"clients/%s/secret", b"users/%s/disable", b"sessions/%s/end")
    assert asked == [b"/admin/" + end % segment for end in ends]
