"""A client registers its next key by its present one: allowed, proven, bounded, and it ends with its parent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ostiary.protocol import jws, next_key
from ostiary.protocol.jwk import SigningKey
from ostiary.revocation import Act, revoke_client_key
from ostiary.settings.email import EmailSettings
from tests.authorization_server.world import ISSUER, NOW, Answer, World, shop_world, signing_key
from tests.endpoints.test_client_authentication import refused_by


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The usual world, with a client that may register keys."""
    with shop_world(tmp_path) as built:
        built.add_client("grower", may_register_keys=True, key=None)
        built.add_key("grower", "grower-1", expires_at=int(NOW) + 5000, owner="green team")
        yield built


def request(new: str = "grower-2", *, signer: SigningKey | None = None, **changes: Any) -> str:
    payload = next_key.build("grower", ISSUER, signing_key(new), now=NOW, jti=changes.pop("jti", f"jti-{new}"))
    typ = changes.pop("typ", next_key.TYP)
    claims = {name: value for name, value in {**json.loads(payload), **changes}.items() if value is not None}
    return jws.sign(json.dumps(claims).encode(), signer or signing_key("grower-1"), typ=typ)


def register(world: World, presented: str, kid: str = "grower-1") -> Answer:
    form = world.form("grower", assertion=world.assertion("grower", kid), next_key=presented)
    return world.post("/client-keys/next", form)


def test_the_next_key_proves_the_client_at_once(world: World) -> None:
    answer = register(world, request())
    assert (answer.status, answer.json) == (201, {"kid": "grower-2", "expires_at": int(NOW) + 5000})
    assert world.token("grower", assertion=world.assertion("grower", "grower-2")).status == 200
    assert world.token("grower", assertion=world.assertion("grower", "grower-1")).status == 200


def test_it_inherits_end_and_owner_and_names_its_parent(world: World) -> None:
    register(world, request())
    key = world.read(lambda work: work.client_keys.get("grower", "grower-2"))
    parent = signing_key("grower-1").verification_key.thumbprint
    assert (key.expires_at, key.owner, key.parent) == (int(NOW) + 5000, "green team", parent)
    world.clock.now = NOW + 5000
    refused_by(world, world.token("grower", assertion=world.assertion("grower", "grower-2")), "key")


def test_the_owner_is_told_by_e_mail_where_the_owner_is_an_address(world: World) -> None:
    email = EmailSettings(from_address="door@example.com", outbox_dir=world.folder / "outbox")
    world.server.settings = world.settings.model_copy(update={"email": email})
    register(world, request())
    assert world.read(lambda work: work.deliveries.due(now=int(NOW))) == [], "the owner is a team"
    world.add_key("grower", "grower-8", expires_at=int(NOW) + 5000, owner="olga@example.com")
    register(world, request("grower-9", signer=signing_key("grower-8")), "grower-8")
    [told] = world.read(lambda work: work.deliveries.due(now=int(NOW)))
    opened = world.server.seals.open("delivery", told.payload, context=told.delivery_id.encode())
    assert b'"to":"olga@example.com","template":"client_key"' in opened
    assert b"grower-9" in opened


def test_the_owner_is_told_by_the_audit_log(world: World) -> None:
    register(world, request())
    [event] = [row for row in world.audit() if row.tag == "client:key_registered_by_client"]
    assert event.actor == event.target == "grower"
    assert (event.details["kid"], event.details["owner"]) == ("grower-2", "green team")
    assert event.key_thumbprint == signing_key("grower-1").verification_key.thumbprint


def test_it_falls_with_its_parent(world: World) -> None:
    register(world, request())
    token = world.access_token("grower", assertion=world.assertion("grower", "grower-2"))
    parent = signing_key("grower-1").verification_key.thumbprint
    world.write(lambda work: revoke_client_key(work, parent, Act("cli", NOW)))
    refused_by(world, world.token("grower", assertion=world.assertion("grower", "grower-2")), "key")
    assert world.introspect(token).json == {"active": False}


def test_a_client_that_may_not_is_refused(world: World) -> None:
    answer = world.post("/client-keys/next", world.form("shop", next_key=request()))
    refused_by(world, answer, "may_register_keys", "unauthorized_client", 403)


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"typ": "client-authentication+jwt"}, "type"),
        ({"aud": f"{ISSUER}/client-keys/next"}, "audience"),
        ({"iss": "shop"}, "issuer"),
        ({"sub": "shop"}, "subject"),
        ({"exp": int(NOW) - 10}, "expiry"),
        ({"exp": int(NOW) + 320}, "lifetime"),
        ({"jwk": None}, "key"),
        ({"jwk": signing_key("grower-1").verification_key.public_jwk()}, "key"),
        ({"jwk": signing_key("stolen").private_jwk()}, "key"),
        ({"jwk": signing_key("unproven").verification_key.public_jwk()}, "proof"),
        ({"proof": None}, "proof"),
        ({"signer": signing_key("grower-2")}, "signature"),
    ],
)
def test_one_false_part_is_refused(world: World, changes: dict[str, Any], check: str) -> None:
    refused_by(world, register(world, request(**changes)), check, "invalid_request", 400)
    assert len(world.read(lambda work: work.client_keys.of_client("grower"))) == 1


def test_the_present_key_that_signs_must_be_the_one_that_authenticates(world: World) -> None:
    """Else one stolen key could be made the child of another and survive it."""
    world.add_key("grower", "grower-9")
    refused_by(world, register(world, request(), "grower-9"), "signature", "invalid_request", 400)


def test_the_same_request_twice_is_refused(world: World) -> None:
    presented = request()
    assert register(world, presented).status == 201
    refused_by(world, register(world, presented), "jti", "invalid_request", 400)


def test_a_key_that_is_registered_already_is_refused_without_saying_whose(world: World) -> None:
    answer = register(world, request("shop-1"))
    refused_by(world, answer, "key", "invalid_request", 400)
    assert "shop" not in answer.body.decode()


def test_a_kid_that_is_taken_is_refused(world: World) -> None:
    world.add_key("grower", "taken")
    twin = replace(signing_key("twin"))
    named = SigningKey.from_pkcs8(twin.to_pkcs8(), "ES256", "taken")
    payload = next_key.build("grower", ISSUER, named, now=NOW, jti="one")
    presented = jws.sign(payload, signing_key("grower-1"), typ=next_key.TYP)
    refused_by(world, register(world, presented), "key", "invalid_request", 400)


def test_live_keys_are_bounded_and_ended_ones_do_not_count(world: World) -> None:
    for number in range(7):
        world.add_key("grower", f"live-{number}")
    refused_by(world, register(world, request()), "key_count", "invalid_request", 400)
    world.write(lambda work: work.client_keys.set_state(signing_key("live-0").verification_key.thumbprint, "retired"))
    assert register(world, request()).status == 201


def test_a_published_key_cannot_be_a_parent(world: World) -> None:
    world.add_client("web", key=None, jwks_uri="https://web.example.com/jwks", may_register_keys=True)
    world.published.keys["web"] = [signing_key("web-1").verification_key]
    answer = world.post("/client-keys/next", world.form("web", next_key=request()))
    refused_by(world, answer, "key", "invalid_request", 400)


def test_a_missing_request_is_refused(world: World) -> None:
    answer = world.post("/client-keys/next", world.form("grower"))
    refused_by(world, answer, "next_key", "invalid_request", 400)
