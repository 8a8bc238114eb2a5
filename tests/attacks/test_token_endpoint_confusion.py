"""Every kind of token at every place that is not its own: all refused (attacks 16, 18, 20)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ostiary.protocol import client_request_jwt, jws, next_key
from tests.authorization_server.world import ISSUER, NOW, ORDERS, World, shop_world, signing_key
from tests.endpoints.test_client_authentication import refused_by

KINDS = ["assertion", "access token", "reference token", "next key", "next key proof", "client request"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The usual world, in which ``shop`` may register keys."""
    with shop_world(tmp_path) as built:
        built.add_client("grower", may_register_keys=True)
        yield built


def made(world: World, kind: str) -> str:
    """A good token of that kind, by ``grower``."""
    key = signing_key("grower-1")
    payload = next_key.build("grower", ISSUER, signing_key("grower-2"), now=NOW, jti=f"jti-{kind}")
    request = client_request_jwt.build(
        "grower", ORDERS, method="POST", url=f"{ISSUER}/token", now=NOW, jti=f"jti-{kind}"
    )
    match kind:
        case "assertion":
            return world.assertion("grower")
        case "access token":
            return world.access_token("grower")
        case "reference token":
            world.add_api("https://vault.example.com", token_format="reference")
            world.add_client("keeper", scopes={"https://vault.example.com": ("orders:read",)})
            return world.access_token("keeper")
        case "next key":
            return jws.sign(payload, key, typ=next_key.TYP)
        case "next key proof":
            return str(json.loads(payload)["proof"])
        case _:
            return jws.sign(request, key, typ=client_request_jwt.TYP)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke", "/client-keys", "/client-keys/next"])
def test_only_a_client_assertion_authenticates(world: World, kind: str, path: str) -> None:
    """standards 3, 8; attacks 16, 18"""
    answer = world.post(path, world.token_form("grower", assertion=made(world, kind), token="x"))
    assert (answer.json.get("error") == "invalid_client") == (kind != "assertion"), answer.body


@pytest.mark.parametrize("kind", KINDS)
def test_only_an_access_token_is_active(world: World, kind: str) -> None:
    """standards 28, 47"""
    api = "api_vault" if kind == "reference token" else "api_orders"
    answer = world.introspect(made(world, kind), api)
    assert answer.json["active"] == (kind in ("access token", "reference token"))


@pytest.mark.parametrize("kind", KINDS)
def test_only_an_access_token_is_revoked(world: World, kind: str) -> None:
    token = made(world, kind)
    owner = "keeper" if kind == "reference token" else "grower"
    assert world.post("/revoke", world.form(owner, token=token)).status == 200
    rows = world.read(lambda work: work.revocations.since(0))
    assert len(rows) == (1 if kind in ("access token", "reference token") else 0)


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_next_key_registers_a_key(world: World, kind: str) -> None:
    answer = world.post("/client-keys/next", world.form("grower", next_key=made(world, kind)))
    assert answer.status == (201 if kind == "next key" else 400), answer.body


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke", "/client-keys", "/client-keys/next"])
def test_a_client_cannot_act_as_another(world: World, path: str) -> None:
    """standards 5; attack 20: authenticate as one, name another."""
    refused_by(world, world.post(path, world.token_form("shop", client_id="other", token="x")), "client")


def test_the_decision_rests_on_the_authenticated_client_alone(world: World) -> None:
    """standards 5; attack 20"""
    token = world.access_token("shop", client_id="shop", username="other", sub="other", owner="other")
    assert world.introspect(token).json["client_id"] == "shop"


def test_an_audit_key_signs_no_access_token(world: World) -> None:
    """standards 68: keys of one use verify nothing of another."""
    known = jws.parse(world.access_token("shop"))
    world.run(world.signing_keys.ensure(("ES256",)))
    audit_key = world.signing_keys.current("ES256", use="audit")
    forged = jws.sign(known.payload, audit_key, typ="at+jwt")
    assert world.introspect(forged).json == {"active": False}
