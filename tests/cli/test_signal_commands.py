"""``ostiary signal``: who may have a stream; listed, shown, paused, resumed, deleted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from ostiary.storage.sqlite import SqliteStorage
from tests.cli.operator import Operator
from tests.cli.operator_fixture import operator as operator
from tests.contract.storage.test_signals import event, stream

RESOURCE = "https://auth.example.com/ssf"


@pytest.fixture
def shop(operator: Operator) -> Operator:
    """With the client ``shop``."""
    operator.done("client", "create", "shop", "--generate", "shop.json")
    return operator


def _has_a_stream(folder: Path) -> None:
    async def write() -> None:
        storage = SqliteStorage(folder / "ostiary.db")
        await storage.open()
        async with storage.write() as work:
            await work.signal_streams.add(replace(stream(), client_id="shop", description="theirs"))
            await work.signal_events.add(event("j-1"))
        await storage.close()

    asyncio.run(write())


def test_a_client_is_allowed_and_can_get_a_token_for_its_stream(shop: Operator) -> None:
    made = shop.done("signal", "allow", "shop")
    assert made == {"client_id": "shop", "resource": RESOURCE, "scopes": ["ssf.manage", "ssf.read"]}
    assert shop.done("signal", "allow", "shop") == made
    assert shop.done("client", "show", "shop")["scopes"] == {RESOURCE: ["ssf.manage", "ssf.read"]}
    assert shop.done("api", "show", RESOURCE)["token_format"] == "reference"
    assert shop.tags().count("api:created") == 1
    assert shop.tags().count("client:updated") == 1


def test_who_is_not_there_or_proves_nothing_is_not_allowed(shop: Operator) -> None:
    shop.refused(3, ["ostiary client list"], "signal", "allow", "nobody")
    redirect = "http://127.0.0.1/callback"
    shop.done("client", "create", "phone", "--public", "--redirect-uri", redirect)
    shop.refused(3, ["does not authenticate"], "signal", "allow", "phone")


def test_streams_are_listed_shown_paused_resumed_and_deleted(shop: Operator) -> None:
    assert shop.done("signal", "list") == []
    _has_a_stream(shop.folder)
    [row] = shop.done("signal", "list")
    assert (row["stream_id"], row["client_id"], row["waiting"], row["status"]) == ("s1", "shop", 1, "enabled")
    assert "sealed_authorization" not in row
    assert shop.done("signal", "show", "s1") == row
    paused = shop.done("signal", "pause", "s1", "--reason", "licence")
    assert (paused["status"], paused["reason"], paused["changed_by"]) == ("paused", "licence", "operator")
    assert shop.done("signal", "pause", "s1")["reason"] == "licence"
    resumed = shop.done("signal", "resume", "s1")
    assert (resumed["status"], resumed["reason"]) == ("enabled", "")
    assert shop.done("signal", "resume", "s1")["status"] == "enabled"
    assert shop.done("signal", "delete", "s1")["stream_id"] == "s1"
    assert shop.done("signal", "list") == []
    streams = [tag for tag in shop.tags() if tag.startswith("signal_stream")]
    assert streams == ["signal_stream:paused", "signal_stream:resumed", "signal_stream:deleted"]


@pytest.mark.parametrize("verb", ["show", "pause", "resume", "delete"])
def test_a_stream_that_is_not_there_is_named(shop: Operator, verb: str) -> None:
    shop.refused(3, ["there is no stream 'none'", "ostiary signal list"], "signal", verb, "none")


def test_a_reason_that_is_no_line_is_refused(shop: Operator) -> None:
    shop.refused(3, ["reason"], "signal", "pause", "s1", "--reason", "a\nb")
