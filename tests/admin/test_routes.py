"""Every route of the admin API: what it does, what it refuses, and the audit event of each change."""

from __future__ import annotations

from typing import Any

import pytest

from ostiary.protocol.jwk import SigningKey
from tests.admin.room import Room, public
from tests.authorization_server.world import NOW, signing_key

ORDERS = "https://orders.example.com"
SCOPES = {"orders:read": "see orders", "orders:write": "change orders"}


def api(**members: Any) -> dict[str, Any]:
    return {"identifier": ORDERS, "name": "Orders", "scopes": SCOPES} | members


def client(**members: Any) -> dict[str, Any]:
    return {"client_id": "shop", "name": "Shop", "scopes": {ORDERS: ["orders:read"]}} | members


@pytest.fixture
def shop(room: Room) -> Room:
    """The room with the API of the orders and the client ``shop``, whose key is ``shop-1``."""
    room.make("/apis", api())
    room.make("/clients", client(owner="team", keys=[{"key": public(signing_key("shop-1"))}]))
    return room


def refused(answer: Any, status: int, *words: str) -> None:
    assert answer.status_code == status, answer.text
    for word in words:
        assert word in answer.json()["error_description"]


# -- APIs -------------------------------------------------------------------------------------------------------------


def test_api_is_made_with_the_default_life_and_audited(room: Room) -> None:
    made = room.make("/apis", api())
    assert made["token_life"] == 600
    assert (made["state"], made["source"], made["client_id"]) == ("active", "registered", None)
    assert room.ask("GET", f"/apis/show?identifier={ORDERS}").json() == made
    assert made in room.ask("GET", "/apis").json()
    assert room.tags()[-1] == "api:created"


def test_api_with_a_key_has_an_identity_of_its_own(room: Room) -> None:
    made = room.make("/apis", api(client_id="api_orders", keys=[{"key": public(signing_key("api-key"))}]))
    identity = room.ask("GET", "/clients/api_orders").json()
    assert made["client_id"] == "api_orders"
    assert (identity["kind"], identity["grant_types"]) == ("api", [])
    assert room.tags()[-3:] == ["client:created", "client:key_added", "api:created"]


def test_api_that_wants_another_algorithm_can_be_served_at_once(room: Room) -> None:
    room.make("/apis", api(token_alg="EdDSA"))
    room.make("/clients", client(keys=[{"key": public(signing_key("shop-1"))}]))
    assert room.world.token("shop", resource=ORDERS).status == 200


@pytest.mark.parametrize(
    ("members", "status", "word"),
    [
        ({"identifier": "orders"}, 422, "absolute URI"),
        ({"identifier": f"{ORDERS}#part"}, 422, "absolute URI"),
        ({"identifier": "https://[::1"}, 422, "absolute URI"),
        ({"identifier": "https://ordérs.example"}, 422, "absolute URI"),
        ({"scopes": {"orders read": ""}}, 422, "is no scope"),
        ({"token_format": "opaque"}, 422, "reference"),
        ({"token_alg": "HS256"}, 400, "ES256"),
        ({"token_alg": "none"}, 400, "ES256"),
        ({"token_life": 3601}, 400, "tokens.max_life"),
        ({"token_life": 9}, 422, "10"),
        ({"token_life": "600"}, 422, "integer"),
        ({"client_id": "api_x"}, 400, "needs a key"),
        ({"client_id": "orders"}, 422, "api_"),
        ({"name": "two\nlines"}, 422, "one line"),
        ({"colour": "red"}, 422, "colour"),
    ],
)
def test_api_that_does_not_fit_is_refused(room: Room, members: dict[str, Any], status: int, word: str) -> None:
    refused(room.ask("POST", "/apis", api(**members)), status, word)
    assert room.ask("GET", f"/apis/show?identifier={ORDERS}").status_code == 404


def test_api_is_made_once(shop: Room) -> None:
    refused(shop.ask("POST", "/apis", api()), 400, ORDERS)


# -- clients ----------------------------------------------------------------------------------------------------------


def test_client_is_made_with_its_key_and_gets_a_token(shop: Room) -> None:
    assert shop.tags()[-2:] == ["client:created", "client:key_added"]
    assert shop.world.token("shop", resource=ORDERS, scope="orders:read").status == 200
    assert shop.world.token("shop", resource=ORDERS, scope="orders:write").json["error"] == "invalid_scope"


def test_client_id_is_generated_if_none_is_given(room: Room) -> None:
    made = room.make("/clients", {"name": "Someone"})
    assert made["client_id"].startswith("cl_")


@pytest.mark.parametrize(
    ("members", "status", "word"),
    [
        ({"client_id": "usr_1"}, 422, "usr_"),
        ({"client_id": "a/b"}, 422, "A-Z"),
        ({"client_id": "x" * 65}, 422, "64"),
        ({"client_id": "shop"}, 400, "taken"),
        ({"scopes": {"https://unknown.example": ["a"]}}, 400, "no API"),
        ({"scopes": {ORDERS: ["orders:delete"]}}, 400, "orders:read"),
        ({"token_life": 3601}, 400, "tokens.max_life"),
        ({"jwks_uri": "http://keys.example/jwks"}, 400, "https"),
        ({"jwks_uri": "https://user@keys.example/"}, 400, "plain https URL"),
        ({"jwks_uri": "https://keys.example:25/"}, 400, "port 25"),
        ({"jwks_uri": "file:///etc/passwd"}, 400, "plain https URL"),
        ({"name": ""}, 422, "at least 1"),
        ({"keys": [{"key": "no key"}]}, 400, "key is refused"),
    ],
)
def test_client_that_does_not_fit_is_refused(shop: Room, members: dict[str, Any], status: int, word: str) -> None:
    before = shop.ask("GET", "/clients").json()
    refused(shop.ask("POST", "/clients", client(client_id="other") | members), status, word)
    assert shop.ask("GET", "/clients").json() == before


def test_refused_key_leaves_no_client_behind(shop: Room) -> None:
    keys = [{"key": public(signing_key("new"))}, {"key": public(signing_key("shop-1"))}]
    refused(shop.ask("POST", "/clients", client(client_id="other", keys=keys)), 400, "'shop'")
    assert shop.ask("GET", "/clients/other").status_code == 404
    shop.make("/clients", client(client_id="other", keys=keys[:1]))


def test_client_is_changed_and_the_next_request_knows(shop: Room) -> None:
    answer = shop.ask("PATCH", "/clients/shop", {"scopes": {ORDERS: ["orders:write"]}, "token_life": 60})
    assert answer.json()["scopes"] == {ORDERS: ["orders:write"]}
    assert shop.world.token("shop", resource=ORDERS, scope="orders:read").json["error"] == "invalid_scope"
    assert shop.world.token("shop", resource=ORDERS).json["expires_in"] == 60
    assert shop.tags()[-1] == "token:refused"
    assert "client:updated" in shop.tags()
    assert shop.ask("PATCH", "/clients/shop", {"token_life": None}).json()["token_life"] is None


def test_change_that_changes_nothing_is_no_event(shop: Room) -> None:
    assert shop.ask("PATCH", "/clients/shop", {"owner": "team"}).status_code == 200
    assert shop.tags()[-1] != "client:updated"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"name": None}, 422),
        ({"scopes": None}, 422),
        ({"may_register_keys": None}, 422),
        ({"state": "disabled"}, 422),
        ({"scopes": {ORDERS: ["orders:delete"]}}, 400),
        ({"token_life": 3601}, 400),
        ({"jwks_uri": "http://keys.example/"}, 400),
    ],
)
def test_change_that_does_not_fit_is_refused(shop: Room, changes: dict[str, Any], status: int) -> None:
    before = shop.ask("GET", "/clients/shop").json()
    refused(shop.ask("PATCH", "/clients/shop", changes), status)
    assert shop.ask("GET", "/clients/shop").json() == before


def test_disabled_client_is_refused_and_its_tokens_end_until_it_is_enabled(shop: Room) -> None:
    token = shop.world.access_token("shop", resource=ORDERS)
    assert shop.ask("POST", "/clients/shop/disable").json()["state"] == "disabled"
    assert shop.world.token("shop", resource=ORDERS).status == 401
    assert shop.ask("POST", "/clients/shop/enable").json()["state"] == "active"
    assert shop.world.token("shop", resource=ORDERS).status == 200
    assert shop.world.post("/revoke", shop.world.form("shop", token=token)).status == 200
    assert [tag for tag in shop.tags() if tag in ("client:disabled", "client:enabled", "token:revoked")] == [
        "client:disabled",
        "client:enabled",
    ]


def test_ending_and_enabling_twice_is_one_event(shop: Room) -> None:
    for _ in range(2):
        shop.ask("POST", "/clients/shop/disable")
    for _ in range(2):
        shop.ask("POST", "/clients/shop/enable")
    assert (shop.tags().count("client:disabled"), shop.tags().count("client:enabled")) == (1, 1)


def test_lists_go_on_page_by_page(shop: Room) -> None:
    first = shop.ask("GET", "/clients?limit=1").json()
    second = shop.ask("GET", f"/clients?limit=1&after={first[0]['client_id']}").json()
    assert [first[0]["client_id"], second[0]["client_id"]] == ["chief", "shop"]
    assert shop.ask("GET", "/clients?after=shop").json() == []
    assert shop.ask("GET", "/clients?limit=501").status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/clients/nobody", None),
        ("PATCH", "/clients/nobody", {}),
        ("POST", "/clients/nobody/disable", None),
        ("POST", "/clients/nobody/enable", None),
        ("GET", "/clients/nobody/keys", None),
        ("GET", "/clients/nobody/tokens", None),
        ("POST", "/clients/nobody/keys", {"key": public(SigningKey.generate("ES256"))}),
        ("POST", "/clients/nobody/keys/end", {"kid": "k", "state": "retired"}),
        ("GET", "/apis/show?identifier=https://nothing.example", None),
        ("GET", "/traces/tr_nothing", None),
        ("GET", "/no-such-route", None),
    ],
)
def test_what_is_not_there_is_not_found(room: Room, method: str, path: str, body: object) -> None:
    answer = room.ask(method, path, body)
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


def test_another_method_is_refused_with_those_that_are_served(room: Room) -> None:
    answer = room.ask("DELETE", "/clients/chief")
    assert (answer.status_code, answer.json()["error"]) == (405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


# -- keys and tokens of a client --------------------------------------------------------------------------------------


def test_keys_overlap_and_the_old_one_is_retired(shop: Room) -> None:
    added = shop.make("/clients/shop/keys", {"key": public(signing_key("shop-2"))})
    assert [(key["kid"], key["owner"], key["not_before"]) for key in added] == [("shop-2", "team", int(NOW))]
    assert shop.world.token(assertion=shop.world.assertion("shop", "shop-1"), resource=ORDERS).status == 200
    assert shop.world.token(assertion=shop.world.assertion("shop", "shop-2"), resource=ORDERS).status == 200
    ended = shop.ask("POST", "/clients/shop/keys/end", {"kid": "shop-1", "state": "retired"}).json()
    assert [(key["kid"], key["state"]) for key in ended] == [("shop-1", "retired")]
    assert shop.world.token(assertion=shop.world.assertion("shop", "shop-1"), resource=ORDERS).status == 401
    states = {key["kid"]: key["state"] for key in shop.ask("GET", "/clients/shop/keys").json()}
    assert states == {"shop-1": "retired", "shop-2": "active"}
    assert [tag for tag in shop.tags() if tag.startswith("client:key")][-2:] == [
        "client:key_added",
        "client:key_retired",
    ]


def test_revoked_key_ends_its_tokens_and_a_retired_one_does_not(shop: Room) -> None:
    shop.make("/clients/shop/keys", {"key": public(signing_key("shop-2"))})
    for kid, state in (("shop-1", "retired"), ("shop-2", "revoked")):
        assertion = shop.world.assertion("shop", kid)
        assert shop.world.token(assertion=assertion, resource=ORDERS).status == 200
        shop.ask("POST", "/clients/shop/keys/end", {"kid": kid, "state": state})
    kinds = [row.kind for row in shop.world.read(lambda work: work.revocations.since(0))]
    assert kinds == ["client_key"]
    assert shop.tags().count("client:key_revoked") == 1


def test_ending_an_ended_key_changes_nothing(shop: Room) -> None:
    end = {"kid": "shop-1", "state": "revoked"}
    assert len(shop.ask("POST", "/clients/shop/keys/end", end).json()) == 1
    assert shop.ask("POST", "/clients/shop/keys/end", end).json() == []
    assert shop.ask("POST", "/clients/shop/keys/end", end | {"state": "retired"}).json() == []
    assert shop.ask("GET", "/clients/shop/keys").json()[0]["state"] == "revoked"


def test_tokens_of_a_client_are_listed_without_their_hash(shop: Room) -> None:
    shop.world.access_token("shop", resource=ORDERS)
    token = shop.ask("GET", "/clients/shop/tokens").json()[0]
    assert (token["audience"], token["client_id"], "digest" in token) == (ORDERS, "shop", False)


# -- signing keys -----------------------------------------------------------------------------------------------------


def test_signing_keys_are_listed_and_rotated(shop: Room) -> None:
    active = next(key for key in shop.ask("GET", "/keys").json() if key["use"] == "token" and key["state"] == "active")
    shop.world.clock.now += 400
    outcome = shop.ask("POST", "/keys/rotate", {}).json()
    assert [(one["outcome"], one["old_kid"]) for one in outcome] == [("switched", active["kid"])]
    assert "signing_key:retired" in shop.tags()


def test_compromised_key_is_withdrawn_at_once(shop: Room) -> None:
    active = next(key for key in shop.ask("GET", "/keys").json() if key["use"] == "token" and key["state"] == "active")
    outcome = shop.ask("POST", "/keys/rotate", {"compromised": True, "kid": active["kid"]}).json()
    assert outcome[0]["outcome"] == "withdrawn"
    assert active["kid"] not in shop.world.get("/jwks").body.decode()
    actors = [row.actor for row in shop.world.audit() if row.tag == "signing_key:withdrawn"]
    assert actors == ["admin:chief"]


@pytest.mark.parametrize("command", [{"alg": "HS256"}, {"kid": "x"}, {"kid": "x", "compromised": True}])
def test_rotation_that_does_not_fit_is_refused(room: Room, command: dict[str, Any]) -> None:
    refused(room.ask("POST", "/keys/rotate", command), 400)


# -- audit and traces -------------------------------------------------------------------------------------------------


def test_audit_names_who_did_it_and_with_which_key(shop: Room) -> None:
    shop.ask("POST", "/clients/shop/disable")
    event = shop.ask("GET", "/audit?tag=client:disabled").json()[0]
    assert (event["actor"], event["target"]) == ("admin:chief", "shop")
    assert event["key_thumbprint"] == shop.key.verification_key.thumbprint
    assert event["personal"] == {"address": "192.0.2.7"}


def test_audit_goes_on_page_by_page(shop: Room) -> None:
    whole = shop.ask("GET", "/audit").json()
    first = whole[0]
    after = f"{first['at']}.{first['writer']}.{first['number']}"
    assert shop.ask("GET", f"/audit?limit=1&after={after}").json() == whole[1:2]
    assert shop.ask("GET", "/audit?after=nonsense").status_code == 422


def test_trace_of_a_refusal_is_shown(room: Room) -> None:
    trace = room.ask("GET", "/clients", headers={}).json()["trace"]
    shown = room.ask("GET", f"/traces/{trace}").json()
    assert (shown["source"], shown["kind"], shown["context"]["path"]) == ("server", "admin", "/clients")
    assert [(check["name"], check["passed"]) for check in shown["checks"]] == [("format", False)]
