"""The operator sees the tokens of a client, never their text, and ends one by its ``jti``."""

from __future__ import annotations

from typing import Any

import pytest

from tests.admin.room import Room, public
from tests.authorization_server.world import NOW, signing_key

ORDERS = "https://orders.example.com"


@pytest.fixture(params=["self-contained", "reference"])
def orders(room: Room, request: pytest.FixtureRequest) -> Room:
    """The room with the API of the orders, which wants one format of tokens, and the clients ``shop``, ``other``."""
    api: dict[str, Any] = {"identifier": ORDERS, "name": "Orders", "scopes": {"a": ""}, "token_format": request.param}
    room.make("/apis", api | {"client_id": "api_orders", "keys": [{"key": public(signing_key("api_orders-1"))}]})
    for name in ("shop", "other"):
        key = [{"key": public(signing_key(f"{name}-1"))}]
        room.make("/clients", {"client_id": name, "name": name, "scopes": {ORDERS: ["a"]}, "keys": key})
    return room


def listed(room: Room, client_id: str = "shop", query: str = "") -> list[dict[str, Any]]:
    answer = room.ask("GET", f"/clients/{client_id}/tokens{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def revoke(room: Room, jti: object, **options: Any) -> Any:
    return room.ask("POST", "/tokens/revoke", {"jti": jti}, **options)


def test_one_token_is_ended_and_no_other(orders: Room) -> None:
    first, second = (orders.world.access_token("shop", resource=ORDERS) for _ in range(2))
    jti = orders.world.introspect(first).json["jti"]
    ended = revoke(orders, jti).json()
    assert (ended["jti"], ended["client_id"], ended["ended_now"], ended["ended_by"]) == (jti, "shop", True, "jti")
    assert orders.world.introspect(first).json == {"active": False}
    assert orders.world.introspect(second).json["active"]
    [event] = [row for row in orders.world.audit() if row.tag == "token:revoked"]
    assert (event.actor, event.target, event.details["client_id"]) == ("admin:chief", jti, "shop")
    assert {row["jti"]: row["ended_by"] for row in listed(orders)}[jti] == "jti"


def test_token_is_ended_once(orders: Room) -> None:
    jti = orders.world.introspect(orders.world.access_token("shop", resource=ORDERS)).json["jti"]
    assert [revoke(orders, jti).json()["ended_now"] for _ in range(2)] == [True, False]
    assert orders.tags().count("token:revoked") == 1


def test_list_says_what_ended_a_token(orders: Room) -> None:
    orders.world.access_token("shop", resource=ORDERS)
    assert [row["ended_by"] for row in listed(orders)] == [None]
    orders.ask("POST", "/clients/shop/disable")
    assert [row["ended_by"] for row in listed(orders)] == ["client"]


def test_list_is_of_one_client_page_by_page_until_they_expire(orders: Room) -> None:
    for _ in range(3):
        orders.world.clock.now += 1
        orders.world.access_token("shop", resource=ORDERS)
    orders.world.access_token("other", resource=ORDERS)
    whole = listed(orders)
    assert [row["issued_at"] for row in whole] == [int(NOW) + 1, int(NOW) + 2, int(NOW) + 3]
    assert listed(orders, query=f"?limit=1&after={whole[0]['jti']}") == whole[1:2]
    assert not {"digest", "access_token"} & whole[0].keys()
    orders.world.clock.now += 600
    assert listed(orders) == []


def test_unknown_token_is_not_found(orders: Room) -> None:
    answer = revoke(orders, "nobody")
    assert (answer.status_code, "ostiary token list" in answer.text) == (404, True)


@pytest.mark.parametrize("jti", ["", "two\nlines", "x" * 129, 7, None])
def test_what_is_no_jti_is_refused(orders: Room, jti: object) -> None:
    assert revoke(orders, jti).status_code == 422


def test_reader_ends_no_token(orders: Room) -> None:
    token = orders.world.access_token("shop", resource=ORDERS)
    jti = orders.world.introspect(token).json["jti"]
    assert revoke(orders, jti, token=orders.token("admin:read")).status_code == 403
    assert orders.world.introspect(token).json["active"]
