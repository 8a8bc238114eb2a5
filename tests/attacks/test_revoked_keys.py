"""A key that was revoked is in the hands of a stranger: it proves nobody, at whatever client it is published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ostiary.protocol.jwk import SigningKey
from ostiary.revocation import Act, retire_client_key, revoke_client_key
from tests.authorization_server.world import NOW, ORDERS, World, shop_world, signing_key
from tests.endpoints.test_client_authentication import refused_by

ACT = Act("cli", NOW)
SHARED = signing_key("shared").verification_key


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with shop_world(tmp_path) as built:
        yield built


@pytest.fixture
def shared(world: World) -> World:
    """``shop`` has the key in the store, ``web`` publishes the same key under a kid of its own."""
    world.add_key("shop", "shared")
    world.add_client("web", key=None, jwks_uri="https://web.example.com/jwks")
    world.published.keys["web"] = [replace(SHARED, kid="web-1")]
    return world


def assertion(world: World) -> str:
    """As ``web``, signed by the shared key."""
    return world.assertion("web", key=SigningKey.from_pkcs8(signing_key("shared").to_pkcs8(), "ES256", "web-1"))


def known_to_the_api(world: World) -> list[str]:
    answer = world.post("/client-keys", world.form("api_orders", client="web"))
    return [key["kid"] for key in answer.json["keys"]]


def test_published_key_proves_its_client_while_nobody_lost_it(shared: World) -> None:
    assert shared.token(assertion=assertion(shared), resource=ORDERS).status == 200
    assert known_to_the_api(shared) == ["web-1"]


def test_key_revoked_at_one_client_proves_no_other(shared: World) -> None:
    """The cached answer of the request before does not outlive the revocation."""
    assert shared.token(assertion=assertion(shared), resource=ORDERS).status == 200
    shared.write(lambda work: revoke_client_key(work, SHARED.thumbprint, ACT))
    refusal = shared.token(assertion=assertion(shared), resource=ORDERS)
    refused_by(shared, refusal, "key", "invalid_client", 401)
    assert "the key is revoked" in shared.trace(refusal).checks[-1].seen
    assert known_to_the_api(shared) == []


def test_token_that_the_key_obtained_for_the_other_client_ends_too(shared: World) -> None:
    token = shared.token(assertion=assertion(shared), resource=ORDERS).json["access_token"]
    shared.write(lambda work: revoke_client_key(work, SHARED.thumbprint, ACT))
    assert shared.introspect(token).json == {"active": False}


def test_key_that_fell_with_its_revoked_parent_proves_no_other(world: World) -> None:
    parent = signing_key("shop-1").verification_key.thumbprint
    world.add_key("shop", "shared", parent=parent)
    world.add_client("web", key=None, jwks_uri="https://web.example.com/jwks")
    world.published.keys["web"] = [replace(SHARED, kid="web-1")]
    assert world.token(assertion=assertion(world), resource=ORDERS).status == 200
    world.write(lambda work: revoke_client_key(work, parent, ACT))
    assert world.token(assertion=assertion(world), resource=ORDERS).status == 401


def test_key_that_another_client_merely_retired_still_proves_its_own(shared: World) -> None:
    shared.write(lambda work: retire_client_key(work, SHARED.thumbprint, ACT))
    assert shared.token(assertion=assertion(shared), resource=ORDERS).status == 200
    assert known_to_the_api(shared) == ["web-1"]


def test_that_nobody_revoked_a_published_key_is_read_once(shared: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a published key would cost a reading for each request."""
    assert shared.token(assertion=assertion(shared), resource=ORDERS).status == 200

    def never(*_: object) -> None:
        raise AssertionError("the database was read")

    monkeypatch.setattr(type(shared.storage), "read", never)
    assert shared.token(assertion=assertion(shared), resource=ORDERS).status == 200
