"""The FastAPI sample with users: it knows on whose behalf a client calls, and demands a fresh sign-in for one thing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.resource_server.samples import Sample, running_sample


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    with running_sample("fastapi", tmp_path_factory.mktemp("api")) as started:
        yield started


def headers(sample: Sample, user: str, *, signed_in: float, **claims: Any) -> dict[str, str]:
    """A token of ``user``, who signed in so many seconds ago."""
    given: dict[str, Any] = {
        "sub": user,
        "scope": "orders:read orders:write",
        "auth_time": int(time.time() - signed_in),
    }
    return {"Authorization": f"Bearer {sample.world.token(**(given | claims))}"}


def test_each_user_of_a_client_sees_their_own_orders(sample: Sample) -> None:
    ada, bob = (headers(sample, user, signed_in=0) for user in ("usr_ada", "usr_bob"))
    assert sample.client.post("/orders", json={"item": "lamp", "quantity": 1}, headers=ada).status_code == 201
    assert sample.client.get("/orders", headers=ada).json() == {
        "client": "orders-client",
        "user": "usr_ada",
        "orders": [{"item": "lamp", "quantity": 1}],
    }
    assert sample.client.get("/orders", headers=bob).json()["orders"] == []


def test_orders_are_taken_back_by_a_user_who_signed_in_a_moment_ago(sample: Sample) -> None:
    fresh = headers(sample, "usr_cy", signed_in=10)
    assert sample.client.post("/orders", json={"item": "tea", "quantity": 1}, headers=fresh).status_code == 201
    assert sample.client.delete("/orders", headers=fresh).status_code == 204
    assert sample.client.get("/orders", headers=fresh).json()["orders"] == []


def test_an_old_sign_in_is_challenged_though_it_is_good_for_the_rest(sample: Sample) -> None:
    """RFC 9470 section 3."""
    old = headers(sample, "usr_dee", signed_in=400)
    assert sample.client.post("/orders", json={"item": "tea", "quantity": 1}, headers=old).status_code == 201
    refused = sample.client.delete("/orders", headers=old)
    assert (refused.status_code, refused.json()["error"]) == (401, "insufficient_user_authentication")
    assert 'max_age="300"' in refused.headers["WWW-Authenticate"]
    assert sample.client.get("/orders", headers=old).json()["orders"] != []


def test_a_client_without_a_user_takes_nothing_back(sample: Sample) -> None:
    refused = sample.client.delete("/orders", headers=headers(sample, "orders-client", signed_in=0))
    assert (refused.status_code, refused.json()["error"]) == (401, "insufficient_user_authentication")
