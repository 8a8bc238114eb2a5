"""Streams of security events over the admin API."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.admin.room import Room
from tests.authorization_server.world import ISSUER
from tests.contract.storage.test_signals import event, stream


@pytest.fixture
def streams(room: Room) -> Room:
    """With one stream and one event in it."""
    room.world.write(
        lambda work: work.signal_streams.add(replace(stream(), client_id="shop")),
        lambda work: work.signal_events.add(event("j-1")),
    )
    return room


def test_a_client_is_allowed_to_have_a_stream(room: Room) -> None:
    room.world.add_client("shop", scopes={})
    answer = room.ask("POST", "/signal-receivers", {"client_id": "shop"})
    assert answer.json() == {
        "client_id": "shop",
        "resource": f"{ISSUER}/ssf",
        "scopes": ["ssf.manage", "ssf.read"],
    }
    assert room.world.token("shop", resource=f"{ISSUER}/ssf").status == 200


def test_streams_are_listed_shown_paused_resumed_and_deleted(streams: Room) -> None:
    [row] = streams.ask("GET", "/signal-streams").json()
    assert (row["stream_id"], row["waiting"]) == ("s1", 1)
    assert "sealed_authorization" not in row
    assert streams.ask("GET", "/signal-streams?after=s1").json() == []
    assert streams.ask("GET", "/signal-streams/s1").json() == row
    paused = streams.ask("POST", "/signal-streams/s1/pause", {"reason": "licence"}).json()
    assert (paused["status"], paused["reason"], paused["changed_by"]) == ("paused", "licence", "operator")
    assert streams.ask("POST", "/signal-streams/s1/resume").json()["status"] == "enabled"
    assert streams.ask("DELETE", "/signal-streams/s1").json()["stream_id"] == "s1"
    assert streams.ask("GET", "/signal-streams").json() == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/signal-streams/none", None),
        ("POST", "/signal-streams/none/pause", {}),
        ("POST", "/signal-streams/none/resume", None),
        ("DELETE", "/signal-streams/none", None),
        ("POST", "/signal-receivers", {"client_id": "nobody"}),
    ],
)
def test_what_is_not_there_is_not_found(room: Room, method: str, path: str, body: Any) -> None:
    assert room.ask(method, path, body).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/signal-receivers", {"client_id": "shop"}),
        ("POST", "/signal-streams/s1/pause", {}),
        ("POST", "/signal-streams/s1/resume", None),
        ("DELETE", "/signal-streams/s1", None),
    ],
)
def test_who_may_only_see_changes_nothing(streams: Room, method: str, path: str, body: Any) -> None:
    answer = streams.ask(method, path, body, token=streams.token("admin:read"))
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")
    assert streams.ask("GET", "/signal-streams/s1").json()["status"] == "enabled"
