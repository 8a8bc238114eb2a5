"""What stands in ostiary.toml is not changed by an operator, but it can be ended."""

from __future__ import annotations

from tests.admin.room import Room, public
from tests.authorization_server.world import signing_key


def test_static_client_is_not_changed(room: Room) -> None:
    room.world.add_client("fixed", source="static")
    answer = room.ask("PATCH", "/clients/fixed", {"name": "New"})
    assert answer.status_code == 400
    assert "ostiary.toml" in answer.json()["error_description"]
    assert room.ask("GET", "/clients/fixed").json()["name"] == "fixed"


def test_static_client_takes_registered_keys_beside_its_static_ones(room: Room) -> None:
    room.world.add_client("fixed", source="static")
    room.make("/clients/fixed/keys", {"key": public(signing_key("fixed-2"))})
    sources = [key["kid"] for key in room.ask("GET", "/clients/fixed/keys").json()]
    assert sources == ["fixed-1", "fixed-2"]


def test_leaked_static_key_can_be_revoked_at_once(room: Room) -> None:
    room.world.add_client("fixed", source="static", key=None)
    room.world.add_key("fixed", "fixed-1", source="static")
    ended = room.ask("POST", "/clients/fixed/keys/end", {"kid": "fixed-1", "state": "revoked"})
    assert ended.json()[0]["state"] == "revoked"


def test_static_client_can_be_disabled_at_once(room: Room) -> None:
    room.world.add_client("fixed", source="static")
    assert room.ask("POST", "/clients/fixed/disable").json()["state"] == "disabled"
