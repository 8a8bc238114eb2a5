"""An API is changed, disabled and enabled over the admin API; what that does to its tokens, and its audit events."""

from __future__ import annotations

from typing import Any

import pytest

from ostiary.protocol import jws, token_format
from tests.admin.room import ADMIN, Room, public
from tests.authorization_server.world import Answer, signing_key

ORDERS = "https://orders.example.com"
CHANGE = f"/apis/change?identifier={ORDERS}"
DISABLE = f"/apis/disable?identifier={ORDERS}"
ENABLE = f"/apis/enable?identifier={ORDERS}"


@pytest.fixture
def orders(room: Room) -> Room:
    """The room with the API of the orders, its identity ``api_orders``, and the client ``shop``."""
    scopes = {"orders:read": "see orders", "orders:write": "change orders"}
    identity = {"client_id": "api_orders", "keys": [{"key": public(signing_key("api_orders-1"))}]}
    room.make("/apis", {"identifier": ORDERS, "name": "Orders", "scopes": scopes, **identity})
    key = [{"key": public(signing_key("shop-1"))}]
    room.make("/clients", {"client_id": "shop", "name": "Shop", "scopes": {ORDERS: ["orders:read"]}, "keys": key})
    return room


def token(room: Room, **parameters: Any) -> Answer:
    return room.world.token("shop", resource=ORDERS, **parameters)


def shown(room: Room) -> Any:
    return room.ask("GET", f"/apis/show?identifier={ORDERS}").json()


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("name", "Bills"),
        ("owner", "finance"),
        ("scopes", {"orders:read": "look"}),
        ("token_format", "reference"),
        ("token_alg", "EdDSA"),
        ("token_life", 60),
        ("status_list", True),
    ],
)
def test_one_member_is_changed_and_the_others_stay(orders: Room, member: str, value: object) -> None:
    before = shown(orders)
    orders.world.clock.now += 5
    changed = orders.ask("PATCH", CHANGE, {member: value})
    assert changed.status_code == 200, changed.text
    assert changed.json() == before | {member: value, "updated_at": before["updated_at"] + 5}
    assert shown(orders) == changed.json()
    [event] = [row for row in orders.world.audit() if row.tag == "api:updated"]
    assert (event.actor, event.target, event.details) == ("admin:chief", ORDERS, {"changed": member})


def test_what_is_the_same_already_is_no_change(orders: Room) -> None:
    before = shown(orders)
    assert orders.ask("PATCH", CHANGE, {"name": "Orders", "token_life": 600}).json() == before
    assert "api:updated" not in orders.tags()


def test_next_token_is_made_as_the_api_wants_it_now(orders: Room) -> None:
    old = orders.world.access_token("shop", resource=ORDERS)
    assert jws.parse(old).header.alg == "ES256"
    orders.ask("PATCH", CHANGE, {"token_alg": "EdDSA", "token_life": 60})
    answer = token(orders).json
    assert (jws.parse(answer["access_token"]).header.alg, answer["expires_in"]) == ("EdDSA", 60)
    orders.ask("PATCH", CHANGE, {"token_format": "reference"})
    assert token_format.looks_like(token(orders).json["access_token"])
    assert orders.world.introspect(old).json["active"]


def test_scope_that_the_api_lost_is_granted_to_nobody(orders: Room) -> None:
    orders.ask("PATCH", CHANGE, {"scopes": {"orders:write": ""}})
    assert token(orders, scope="orders:read").json["error"] == "invalid_scope"


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"token_alg": "HS256"}, 400, "ES256"),
        ({"token_life": 3601}, 400, "tokens.max_life"),
        ({"token_life": 9}, 422, "10"),
        ({"token_format": "opaque"}, 422, "reference"),
        ({"scopes": {"two words": ""}}, 422, "is no scope"),
        ({"name": ""}, 422, "name"),
        ({"name": None}, 422, "cannot be null"),
        ({"token_life": None}, 422, "cannot be null"),
        ({"identifier": "https://other.example"}, 422, "identifier"),
        ({"client_id": "shop"}, 422, "client_id"),
        ({"state": "disabled"}, 422, "state"),
    ],
)
def test_change_that_does_not_fit_is_refused(orders: Room, changes: dict[str, Any], status: int, word: str) -> None:
    before = shown(orders)
    answer = orders.ask("PATCH", CHANGE, changes)
    assert (answer.status_code, word in answer.json()["error_description"]) == (status, True), answer.text
    assert shown(orders) == before


@pytest.mark.parametrize("form", ["self-contained", "reference"])
def test_disabled_api_gets_no_token_and_those_it_has_are_inactive(orders: Room, form: str) -> None:
    orders.ask("PATCH", CHANGE, {"token_format": form})
    held = orders.world.access_token("shop", resource=ORDERS)
    assert orders.world.introspect(held).json["active"]
    assert orders.ask("POST", DISABLE).json()["state"] == "disabled"
    refusal = token(orders)
    assert (refusal.status, refusal.json["error"]) == (400, "invalid_target")
    mend = orders.world.trace(refusal).checks[-1].mend
    assert f"ostiary api enable {ORDERS}" in mend
    assert orders.world.introspect(held).json == {"active": False}
    reasons = [row.reason for row in orders.world.audit() if row.tag == "token:introspected"]
    assert reasons == ["", "its API is disabled"]


def test_enabled_api_has_tokens_again(orders: Room) -> None:
    held = orders.world.access_token("shop", resource=ORDERS)
    orders.ask("POST", DISABLE)
    assert orders.ask("POST", ENABLE).json()["state"] == "active"
    assert token(orders).status == 200
    assert orders.world.introspect(held).json["active"]


def test_ends_are_audited_once(orders: Room) -> None:
    for path in (DISABLE, DISABLE, ENABLE, ENABLE):
        assert orders.ask("POST", path).status_code == 200
    events = [(row.tag, row.actor, row.target) for row in orders.world.audit() if row.target == ORDERS]
    assert events[1:] == [("api:disabled", "admin:chief", ORDERS), ("api:enabled", "admin:chief", ORDERS)]


def test_disabled_admin_api_lets_nobody_in(orders: Room) -> None:
    """The tokens that were given out for it before end with it, at once."""
    held = orders.token()
    assert orders.ask("GET", "/apis", token=held).status_code == 200
    orders.ask("POST", f"/apis/disable?identifier={ADMIN}", token=held)
    refused = orders.ask("GET", "/apis", token=held)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")


@pytest.mark.parametrize(("method", "verb"), [("PATCH", "change"), ("POST", "disable"), ("POST", "enable")])
def test_unknown_api_is_not_found(room: Room, method: str, verb: str) -> None:
    body = {"name": "x"} if verb == "change" else None
    answer = room.ask(method, f"/apis/{verb}?identifier=https://nowhere.example", body)
    assert (answer.status_code, "ostiary api list" in answer.text) == (404, True)


@pytest.mark.parametrize(("method", "path"), [("PATCH", CHANGE), ("POST", DISABLE), ("POST", ENABLE)])
def test_reader_changes_nothing(orders: Room, method: str, path: str) -> None:
    before = shown(orders)
    body = {"name": "x"} if method == "PATCH" else None
    answer = orders.ask(method, path, body, token=orders.token("admin:read"))
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")
    assert shown(orders) == before
