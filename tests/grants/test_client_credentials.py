"""The grant ``client_credentials``: whom the token is for, what it allows and how long it lives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ostiary.revocation import Act, revoke_grant
from tests.authorization_server.world import BILLS, NOW, ORDERS, World
from tests.endpoints.test_client_authentication import refused_by


def test_without_a_resource_the_only_api_of_the_client_is_taken(world: World) -> None:
    token = world.access_token()
    assert world.introspect(token).json["aud"] == ORDERS


def test_the_audience_is_the_resource_that_was_asked_for(world: World) -> None:
    """standards 66"""
    world.add_client("both", scopes={ORDERS: ("orders:read",), BILLS: ("bills:read",)})
    token = world.access_token("both", resource=BILLS)
    assert world.introspect(token, "api_bills").json["aud"] == BILLS


def test_a_client_of_two_apis_must_name_one(world: World) -> None:
    world.add_client("both", scopes={ORDERS: ("orders:read",), BILLS: ("bills:read",)})
    refused_by(world, world.token("both"), "resource", "invalid_target", 400)


@pytest.mark.parametrize("resource", [BILLS, "https://nowhere.example.com", ORDERS + "/", ORDERS.upper(), "x"])
def test_a_resource_outside_the_grant_is_refused(world: World, resource: str) -> None:
    """standards 66"""
    refused_by(world, world.token(resource=resource), "resource", "invalid_target", 400)


def test_a_disabled_api_gets_no_tokens(world: World) -> None:
    api = world.read(lambda work: work.apis.get(ORDERS))
    world.write(lambda work: work.apis.replace(replace(api, state="disabled")))
    refused_by(world, world.token(), "resource", "invalid_target", 400)


def test_two_resources_are_refused(world: World) -> None:
    from urllib.parse import urlencode

    body = urlencode(world.token_form(resource=ORDERS)) + "&" + urlencode({"resource": BILLS})
    refused_by(world, world.post("/token", body.encode()), "form", "invalid_target", 400)


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        (None, "orders:read orders:write"),
        ("orders:read", "orders:read"),
        ("orders:write orders:read", "orders:write orders:read"),
        ("orders:read orders:read", "orders:read"),
    ],
)
def test_scopes_are_those_asked_for_or_all(world: World, asked: str | None, granted: str) -> None:
    assert world.token(scope=asked).json["scope"] == granted


@pytest.mark.parametrize(
    "asked",
    ["orders:delete", "orders:read orders:delete", "bills:read", " orders:read", "orders:read  orders:write", '"', "é"],
)
def test_a_scope_beyond_what_is_allowed_is_refused(world: World, asked: str) -> None:
    refused_by(world, world.token(scope=asked), "scope", "invalid_scope", 400)


def test_a_scope_that_the_api_no_longer_has_is_not_given(world: World) -> None:
    api = world.read(lambda work: work.apis.get(ORDERS))
    world.write(lambda work: work.apis.replace(replace(api, scopes={"orders:read": "read"})))
    assert world.token().json["scope"] == "orders:read"
    refused_by(world, world.token(scope="orders:write"), "scope", "invalid_scope", 400)


@pytest.mark.parametrize(
    ("api", "client", "life"),
    [({"token_life": 600}, None, 600), ({"token_life": 600}, 60, 60), ({"token_life": 7200}, 9000, 3600)],
)
def test_the_life_is_the_shortest_of_api_client_and_settings(
    world: World, api: dict[str, Any], client: int | None, life: int
) -> None:
    registered = world.read(lambda work: work.apis.get(ORDERS))
    world.write(lambda work: work.apis.replace(replace(registered, **api)))
    world.add_client("timed", token_life=client)
    assert world.token("timed").json["expires_in"] == life


def test_a_token_does_not_outlive_its_grant(world: World) -> None:
    client = world.add_client("brief", grant_id="gr_unused")
    grant = world.read(lambda work: work.grants.get("gr_unused"))
    ending = replace(grant, grant_id="gr_brief", expires_at=int(NOW) + 30)
    world.write(
        lambda work: work.grants.add(ending), lambda work: work.clients.replace(replace(client, grant_id="gr_brief"))
    )
    assert world.token("brief").json["expires_in"] == 30
    world.clock.now += 30
    refused_by(world, world.token("brief"), "grant", "invalid_grant", 400)


def test_an_ended_grant_gives_no_tokens(world: World) -> None:
    world.write(lambda work: revoke_grant(work, "gr_shop", Act("cli", NOW)))
    refused_by(world, world.token(), "grant", "invalid_grant", 400)


def test_a_client_without_the_grant_type_is_refused(world: World) -> None:
    world.add_client("none", grant_types=())
    refused_by(world, world.token("none"), "grant_type", "unauthorized_client", 400)


@pytest.mark.parametrize(
    ("grant_type", "code"),
    [
        ("password", "unsupported_grant_type"),
        ("Client_Credentials", "unsupported_grant_type"),
        (None, "invalid_request"),
    ],
)
def test_another_grant_type_is_refused(world: World, grant_type: str | None, code: str) -> None:
    refused_by(world, world.token(grant_type=grant_type), "grant_type", code, 400)
