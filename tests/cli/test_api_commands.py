"""``ostiary api`` on a local installation."""

from __future__ import annotations

import asyncio
import time

import pytest

from ostiary.model.feed_reader import FeedReader
from ostiary.protocol.credential import Credential
from ostiary.revocation.act import Act
from ostiary.storage.open import storage_for
from tests.cli.operator import ORDERS, Operator
from tests.cli.operator_fixture import operator

__all__ = ["operator"]

STOCK = "https://stock.example.com"
NOBODY_FOLLOWS = {"readers": 0, "behind": None, "seen": None}


def test_api_is_made_with_scopes_and_an_identity(operator: Operator) -> None:
    made = operator.done(
        "api", "create", ORDERS, "--name", "Orders", "--scope", "orders:read=See orders", "--generate", "orders.json"
    )
    credential = Credential.parse((operator.folder / "orders.json").read_bytes())
    assert made["scopes"] == {"orders:read": "See orders"}
    assert (credential.kind, credential.audience, credential.client_id) == ("ostiary-api", ORDERS, made["client_id"])
    assert (operator.folder / "orders.json").stat().st_mode & 0o777 == 0o600
    assert [row["identifier"] for row in operator.done("api", "list")] == [ORDERS]
    assert operator.done("api", "show", ORDERS)["name"] == "Orders"


def test_scope_without_a_description_is_shown_alone(operator: Operator) -> None:
    made = operator.run("api", "create", ORDERS, "--scope", "a", "--scope", "b=see")
    assert "a; b: see" in made.out


def test_api_chooses_its_tokens(operator: Operator) -> None:
    made = operator.done("api", "create", ORDERS, "--tokens", "reference", "--life", "300")
    assert (made["token_format"], made["token_life"], made["client_id"]) == ("reference", 300, None)


def test_another_algorithm_gets_its_signing_key_at_once(operator: Operator) -> None:
    operator.done("api", "create", ORDERS, "--alg", "EdDSA")
    states = {key["state"] for key in operator.done("keys", "list") if key["alg"] == "EdDSA"}
    assert states == {"active", "published"}


def test_refused_api_leaves_no_file(operator: Operator) -> None:
    operator.done("api", "create", ORDERS)
    operator.refused(3, [ORDERS], "api", "create", ORDERS, "--generate", "second.json")
    assert not (operator.folder / "second.json").exists()
    assert operator.done("client", "list") == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["orders"], "absolute URI"),
        ([f"{ORDERS}#x"], "absolute URI"),
        ([ORDERS, "--tokens", "opaque"], "self-contained or reference"),
        ([ORDERS, "--alg", "HS256"], "ES256"),
        ([ORDERS, "--life", "1201"], "tokens.max_life"),
        ([ORDERS, "--scope", "two words"], "is no scope"),
        ([ORDERS, "--scope", "a=x", "--scope", "a=y"], "twice"),
    ],
)
def test_api_that_does_not_fit_is_refused(operator: Operator, arguments: list[str], word: str) -> None:
    operator.refused(3, [word], "api", "create", *arguments)
    assert operator.done("api", "list") == []


def test_unknown_api_is_named(operator: Operator) -> None:
    operator.refused(3, ["ostiary api list"], "api", "show", ORDERS)


def test_wrong_usage_has_its_own_exit_code(operator: Operator) -> None:
    assert operator.run("api", "create").code == 2


def test_no_installation_is_one_sentence(operator: Operator) -> None:
    (operator.folder / "ostiary.toml").unlink()
    operator.refused(3, ["There is no installation here", "--config"], "api", "list")


def test_api_is_changed_in_what_is_named_alone(operator: Operator) -> None:
    made = operator.done("api", "create", ORDERS, "--scope", "a=see", "--scope", "b", "--owner", "us")
    changed = operator.done(
        "api", "change", ORDERS, "--name", "Orders", "--scope", "a=look", "--tokens", "reference", "--life", "60"
    )
    named = {"name": "Orders", "scopes": {"a": "look"}, "token_format": "reference", "token_life": 60}
    assert changed == made | named | {"updated_at": changed["updated_at"]}
    assert operator.done("api", "show", ORDERS) == changed | NOBODY_FOLLOWS
    assert operator.tags().count("api:updated") == 1


def test_an_api_says_whether_its_tokens_stand_in_status_lists(operator: Operator) -> None:
    made = operator.done("api", "create", ORDERS, "--status-list")
    assert made["status_list"] is True
    assert operator.done("api", "show", ORDERS) == made | NOBODY_FOLLOWS
    assert operator.done("api", "change", ORDERS, "--no-status-list")["status_list"] is False
    assert operator.done("api", "change", ORDERS, "--status-list")["status_list"] is True
    assert operator.done("api", "create", ORDERS + "/2")["status_list"] is False


def test_changed_algorithm_gets_its_signing_key_at_once(operator: Operator) -> None:
    operator.done("api", "create", ORDERS)
    assert operator.done("api", "change", ORDERS, "--alg", "EdDSA")["token_alg"] == "EdDSA"
    states = {key["state"] for key in operator.done("keys", "list") if key["alg"] == "EdDSA"}
    assert states == {"active", "published"}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "nothing to change"),
        (["--tokens", "opaque"], "self-contained or reference"),
        (["--alg", "HS256"], "ES256"),
        (["--life", "1201"], "tokens.max_life"),
        (["--scope", "two words"], "is no scope"),
        (["--name", ""], "name"),
    ],
)
def test_change_that_does_not_fit_is_refused(operator: Operator, arguments: list[str], word: str) -> None:
    made = operator.done("api", "create", ORDERS)
    operator.refused(3, [word], "api", "change", ORDERS, *arguments)
    assert operator.done("api", "show", ORDERS) == made | NOBODY_FOLLOWS


def test_api_is_disabled_and_enabled(operator: Operator) -> None:
    operator.done("api", "create", ORDERS)
    assert operator.done("api", "disable", ORDERS)["state"] == "disabled"
    assert operator.done("api", "list")[0]["state"] == "disabled"
    assert operator.done("api", "enable", ORDERS)["state"] == "active"
    assert [tag for tag in operator.tags() if tag.startswith("api:")] == ["api:created", "api:disabled", "api:enabled"]


@pytest.mark.parametrize("verb", ["disable", "enable", "change"])
def test_unknown_api_is_not_ended(operator: Operator, verb: str) -> None:
    options = ["--name", "x"] if verb == "change" else []
    operator.refused(3, ["ostiary api list"], "api", verb, ORDERS, *options)


def test_who_follows_the_revocation_feed_is_shown_with_its_lag(operator: Operator) -> None:
    made = operator.done("api", "create", ORDERS, "--generate", "orders.json")
    operator.done("api", "create", STOCK)

    async def follow() -> None:
        storage = storage_for(f"sqlite:///{operator.folder / 'ostiary.db'}")
        await storage.open()
        now = int(time.time())
        try:
            async with storage.write() as work:
                for number in range(3):
                    await work.revocations.append(Act("cli", now).row("jti", f"t-{number}"))
                for digest, position in ((b"1", 3), (b"2", 1)):
                    reader = FeedReader(digest * 32, str(made["client_id"]), "node-1", position, now, now + 900)
                    await work.feed_readers.add(reader)
        finally:
            await storage.close()

    asyncio.run(follow())
    rows = {row["identifier"]: row for row in operator.done("api", "list")}
    assert (rows[ORDERS]["readers"], rows[ORDERS]["behind"]) == (2, 2)
    assert (rows[STOCK]["readers"], rows[STOCK]["behind"], rows[STOCK]["seen"]) == (0, None, None)
    assert operator.done("api", "show", ORDERS)["behind"] == 2
    table = operator.run("api", "list").out.splitlines()
    assert table[0].split()[-3:] == ["readers", "behind", "seen"]
