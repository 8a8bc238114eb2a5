"""Key lookup by APIs: the usable keys of clients that may use the API, and nothing of anybody else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ostiary.errors import VerificationError
from ostiary.model.client import Client
from ostiary.protocol.jwk import VerificationKey, parse_public_key
from tests.authorization_server.world import NOW, ORDERS, Answer, World, signing_key
from tests.endpoints.test_client_authentication import refused_by


def look_up(world: World, client: str, kid: str | None, api: str = "api_orders") -> Answer:
    return world.post("/client-keys", world.form(api, client=client, kid=kid))


def kids(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [key["kid"] for key in answer.json["keys"]]


def test_an_api_finds_a_key_by_client_and_kid(world: World) -> None:
    answer = look_up(world, "shop", "shop-1")
    [found] = answer.json["keys"]
    assert parse_public_key(found) == signing_key("shop-1").verification_key
    assert (answer.json["client_id"], answer.headers["cache-control"]) == ("shop", "private, max-age=60")


def test_without_a_kid_all_usable_keys_are_told(world: World) -> None:
    world.add_key("shop", "second")
    world.add_key("shop", "later", not_before=int(NOW) + 60)
    assert set(kids(look_up(world, "shop", None))) == {"second", "shop-1"}


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "retired"},
        {"state": "revoked"},
        {"expires_at": int(NOW)},
        {"not_before": int(NOW) + 1},
        {"parent": "gone"},
    ],
)
def test_a_key_that_may_not_be_used_is_not_told(world: World, changes: dict[str, Any]) -> None:
    world.add_key("shop", "second", **changes)
    assert kids(look_up(world, "shop", "second")) == []


def test_the_end_of_a_key_is_told(world: World) -> None:
    parent = world.add_key("shop", "second", expires_at=int(NOW) + 90)
    world.add_key("shop", "third", parent=parent.thumbprint)
    assert [key["exp"] for key in look_up(world, "shop", "second").json["keys"]] == [int(NOW) + 90]
    assert [key["exp"] for key in look_up(world, "shop", "third").json["keys"]] == [int(NOW) + 90]


def test_unknown_foreign_and_disabled_clients_have_no_keys(world: World) -> None:
    client = world.read(lambda work: work.clients.get("shop"))
    assert kids(look_up(world, "nobody", "shop-1")) == []
    assert kids(look_up(world, "other", "other-1")) == []
    assert kids(look_up(world, "shop", "shop-1", "api_bills")) == []
    world.write(lambda work: work.clients.replace(replace(client, state="disabled")))
    assert kids(look_up(world, "shop", "shop-1")) == []


def test_a_key_belongs_to_the_client_that_is_asked_about(world: World) -> None:
    """standards 8: the key of another client is not found under this one."""
    assert kids(look_up(world, "shop", "other-1")) == []


def test_published_keys_are_found_too(world: World) -> None:
    world.add_client("web", key=None, jwks_uri="https://web.example.com/jwks")
    world.published.keys["web"] = [signing_key("web-1").verification_key]
    assert kids(look_up(world, "web", "web-1")) == ["web-1"]
    assert kids(look_up(world, "web", None)) == ["web-1"]


def test_a_published_key_that_was_ended_in_the_store_is_not_told(world: World) -> None:
    world.add_client("web", key=None, jwks_uri="https://web.example.com/jwks")
    world.add_key("web", "web-1", state="revoked")
    world.published.keys["web"] = [replace(signing_key("web-1").verification_key, kid="again")]
    assert kids(look_up(world, "web", "again")) == []


def test_only_apis_may_look_keys_up(world: World) -> None:
    refused_by(world, look_up(world, "shop", "shop-1", "shop"), "caller", "unauthorized_client", 403)


def test_without_authentication_nothing_is_told(world: World) -> None:
    refused_by(world, world.post("/client-keys", {"client": "shop", "kid": "shop-1"}), "method")


def test_a_missing_client_is_refused(world: World) -> None:
    refused_by(world, world.post("/client-keys", world.form("api_orders")), "client", "invalid_request", 400)


def test_the_scopes_are_narrowed_to_those_that_the_api_still_has(world: World) -> None:
    """As they are in a token: `standards 114` holds for requests that a client signs itself."""
    api = world.read(lambda work: work.apis.get(ORDERS))
    assert look_up(world, "shop", "shop-1").json["scopes"] == {ORDERS: ["orders:read", "orders:write"]}
    world.write(lambda work: work.apis.replace(replace(api, scopes={"orders:read": "read"})))
    assert look_up(world, "shop", "shop-1").json["scopes"] == {ORDERS: ["orders:read"]}


def test_every_answer_is_audited(world: World) -> None:
    look_up(world, "shop", "shop-1")
    world.clock.now += 1
    look_up(world, "other", None)
    rows = [row for row in world.audit() if row.tag == "client_keys:told"]
    assert [(row.outcome, row.actor, row.target) for row in rows] == [
        ("allowed", "api_orders", "shop"),
        ("refused", "api_orders", "other"),
    ]


def test_a_published_key_does_not_outlive_its_parent_in_the_store(world: World) -> None:
    """A key whose parent is gone is not told because its client also publishes it."""
    client = world.read(lambda work: work.clients.get("shop"))
    world.write(lambda work: work.clients.replace(replace(client, jwks_uri="https://shop.example.com/jwks")))
    world.add_key("shop", "second", parent="gone")
    world.published.keys["shop"] = [signing_key_as("second", "renamed")]
    assert kids(look_up(world, "shop", "renamed")) == []


def signing_key_as(name: str, kid: str) -> VerificationKey:
    """The key called ``name``, published under another kid."""
    return parse_public_key({**signing_key(name).verification_key.public_jwk(), "kid": kid})


def test_a_published_set_that_is_refused_holds_no_key(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The document is the client's fault, not the API's and not ours; what stands in the store stays good."""
    client = world.read(lambda work: work.clients.get("shop"))
    world.write(lambda work: work.clients.replace(replace(client, jwks_uri="https://shop.example.com/jwks")))

    async def find(client: Client, kid: str | None) -> list[VerificationKey]:
        raise VerificationError("key", "malformed key document")

    monkeypatch.setattr(world.published, "find", find)
    assert kids(look_up(world, "shop", "published")) == []
    assert kids(look_up(world, "shop", None)) == ["shop-1"]
