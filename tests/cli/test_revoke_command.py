"""``ostiary revoke``: one command for whatever has to end, and what the APIs know of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ostiary.admin.feed_readers import LIVE
from ostiary.admin.revocation_commands import NewRevocation
from ostiary.cli.acknowledgements import Waiting, told
from ostiary.cli.admin_http import AdminHttp
from ostiary.cli.administration_remote import RemoteAdministration
from ostiary.cli.local import open_local
from ostiary.model.feed_reader import LIFE, FeedReader
from ostiary.protocol import token_format
from tests.admin.room import Room, public
from tests.authorization_server.world import ISSUER, signing_key
from tests.cli.operator import ORDERS, Operator
from tests.cli.operator_fixture import operator

__all__ = ["operator"]

BILLS = "https://bills.example.com"


@pytest.fixture
def shop(operator: Operator) -> Operator:
    """The client ``shop``; ``orders`` has an identity, so that its processes can follow; ``bills`` has none."""
    operator.done("api", "create", ORDERS, "--name", "Orders", "--scope", "a=A", "--generate", "orders.json")
    operator.done("api", "create", BILLS, "--name", "Bills", "--scope", "a=A")
    grant = f"{ORDERS}=a"
    operator.done("client", "create", "shop", "--grant", grant, "--generate", "shop.json")
    return operator


def readers(operator: Operator, *applied: int) -> None:
    """Processes of the API of the orders, and up to where each has applied the log."""
    client_id = operator.done("api", "show", ORDERS)["client_id"]

    async def write() -> None:
        async with open_local(None) as local, local.storage.write() as work:
            now = int(local.clock())
            for number, position in enumerate(applied):
                reader = FeedReader(bytes([number]) * 32, client_id, "node", position, now, now + LIFE)
                await work.feed_readers.add(reader)

    asyncio.run(write())


def knows(answer: Any) -> dict[str, str]:
    return {api["identifier"]: api["knows"] for api in answer["apis"]}


def test_it_ends_a_client_and_says_who_knows(shop: Operator) -> None:
    readers(shop, 1, 7)
    answer = shop.done("revoke", "--client", "shop", "--reason", "it was sold")
    assert (answer["name"], answer["ended_now"], answer["ended"]["clients"]) == ("shop", True, 1)
    assert knows(answer) == {ORDERS: "yes", BILLS: "until_expiry"}
    assert shop.done("client", "show", "shop")["state"] == "disabled"
    [event] = shop.done("audit", "list", "--tag", "client:disabled")
    assert (event["actor"], event["reason"]) == ("cli", "it was sold")


def test_for_a_person_it_names_each_api_and_those_that_cannot_know(shop: Operator) -> None:
    readers(shop, 1, 1, 1)
    outcome = shop.run("revoke", "--client", "shop")
    assert outcome.code == 0, outcome.err
    assert "1 client" in outcome.out
    assert f"{ORDERS}  3 of 3 processes have it (after " in outcome.out
    assert f"{BILLS}  no process follows the feed" in outcome.out
    assert f"Not followed by {BILLS}" in outcome.err


def test_exit_code_4_says_that_it_has_ended_but_not_everybody_knows(shop: Operator) -> None:
    readers(shop, 1, 0)
    outcome = shop.run("revoke", "--client", "shop", "--wait", "0")
    assert outcome.code == 4
    assert f"{ORDERS}  1 of 2 processes have it after" in outcome.out
    assert "It has ended" in outcome.err
    assert shop.done("client", "show", "shop")["state"] == "disabled"
    outcome = shop.run("revoke", "--client", "shop", "--wait", "0", "--format", "json")
    assert (outcome.code, outcome.json["ended_now"], knows(outcome.json)[ORDERS]) == (4, False, "not_yet")


def test_what_had_ended_is_told_so(shop: Operator) -> None:
    shop.done("revoke", "--client", "shop")
    outcome = shop.run("revoke", "--client", "shop")
    assert (outcome.code, "nothing: it had ended before" in outcome.out) == (0, True)


def test_a_key_is_named_by_its_thumbprint_or_with_its_client_by_its_kid(shop: Operator) -> None:
    shop.done("client", "keys", "add", "shop", "--generate", "next.json")
    first, second = shop.done("client", "keys", "list", "shop")
    assert shop.done("revoke", "--key", first["kid"], "--client", "shop")["name"] == first["thumbprint"]
    assert shop.done("revoke", "--key", second["thumbprint"])["ended"]["keys"] == 1
    assert {key["state"] for key in shop.done("client", "keys", "list", "shop")} == {"revoked"}
    assert shop.done("client", "show", "shop")["state"] == "active"


def test_a_user_is_named_by_user_name(shop: Operator) -> None:
    user_id = shop.done("user", "create", "ada")["user_id"]
    assert shop.done("revoke", "--user", "ada")["name"] == user_id
    assert shop.done("user", "show", "ada")["state"] == "disabled"


@pytest.mark.parametrize("token", [token_format.generate("at", "abcdef"), "eyJ.eyJ.c2ln"], ids=["opaque", "JWT"])
def test_a_token_in_the_arguments_is_refused_and_not_repeated(shop: Operator, token: str) -> None:
    outcome = shop.run("revoke", "--token", token)
    assert (outcome.code, "--token-file" in outcome.err) == (3, True)
    assert token not in outcome.err


def test_a_token_that_is_not_known_is_read_from_a_file_and_not_repeated(shop: Operator, tmp_path: Path) -> None:
    token = token_format.generate("rt", "abcdef")
    (tmp_path / "token").write_text(token + "\n")
    outcome = shop.run("revoke", "--token-file", "token")
    assert (outcome.code, "no such refresh token" in outcome.err) == (3, True)
    assert token not in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--client", "shop", "--user", "ada"),
        ("--token", "a", "--token-file", "token"),
        ("--session", "a", "--grant", "b"),
        ("--client", "not an id"),
    ],
)
def test_it_ends_one_thing_and_says_which_are_possible(shop: Operator, arguments: tuple[str, ...]) -> None:
    outcome = shop.run("revoke", *arguments)
    assert (outcome.code, outcome.out) == (3, "")
    assert shop.done("client", "show", "shop")["state"] == "active"


def test_by_the_admin_api_it_asks_for_the_same(tmp_path: Path) -> None:
    room = Room(tmp_path)
    try:
        room.make("/apis", {"identifier": BILLS, "name": "Bills"})
        room.make("/clients", {"client_id": "shop", "name": "Shop", "keys": [{"key": public(signing_key("shop-1"))}]})
        headers = {"Authorization": f"Bearer {room.token()}"}

        async def ask() -> tuple[Any, list[str]]:
            transport = httpx2.ASGITransport(app=room.app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://admin/", headers=headers) as http:
                remote = RemoteAdministration(AdminHttp(http), ISSUER)
                answer = await remote.revoke(NewRevocation(kind="client", name="shop", reason="sold"))
                return answer, [told(api) async for api in Waiting(remote, answer["position"], 0).settled()]

        answer, lines = room.world.run(ask())
        assert (answer["name"], answer["ended_now"], answer["position"]) == ("shop", True, 1)
        assert f"{BILLS}  no process follows the feed" in lines
    finally:
        room.close()


class Administration:
    """Answers what was prepared, one list after the other, and the last one for ever."""

    def __init__(self, *answers: list[dict[str, Any]]) -> None:
        self._answers = list(answers)

    async def revocation_readers(self, position: int) -> list[dict[str, Any]]:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def row(applied: int, readers: int = 2, **members: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {"identifier": ORDERS, "state": "active", "token_format": "self-contained"}
    facts |= {"head": 1, "readers": readers, "applied": applied, "slowest": 0, "behind": 0, "seen": LIVE}
    return facts | members


def lines(wait: float, *answers: list[dict[str, Any]]) -> list[str]:
    async def run() -> list[str]:
        administration: Any = Administration(*answers)
        return [told(api) async for api in Waiting(administration, 1, wait).settled()]

    return asyncio.run(run())


def test_it_waits_until_every_process_knows() -> None:
    [line] = lines(60, [row(0)], [row(1)], [row(2)])
    assert line.startswith(f"{ORDERS}  2 of 2 processes have it (after ")


def test_an_api_that_was_told_is_not_told_again_while_another_is_late() -> None:
    late = row(0, 1, identifier=BILLS)
    first, second = lines(60, [row(2), late], [row(1, 3), late], [row(3, 3), late | {"applied": 1}])
    assert first.startswith(f"{ORDERS}  2 of 2")
    assert second.startswith(f"{BILLS}  1 of 1 process has it")


def test_an_api_with_reference_tokens_asks_and_one_that_is_disabled_does_not_matter() -> None:
    [line] = lines(60, [row(0, 0, token_format="reference"), row(0, 1, identifier=BILLS, state="disabled")])
    assert line == f"{ORDERS}  asks at each use and so knows at once (reference tokens)"


def test_the_late_are_told_when_the_time_is_over() -> None:
    [line] = lines(0, [row(1)])
    assert line.startswith(f"{ORDERS}  1 of 2 processes have it after ")
