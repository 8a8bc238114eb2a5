"""What a handler gets, it cannot alter: the next request sees the same caller."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from ostiary.resource_server import Principal
from tests.resource_server.world import World, bearer

FURTHER: dict[str, Any] = {"aud": ["https://orders.example.com"], "extra": {"team": ["blue"], "deep": [{"a": 1}]}}

CHANGES: dict[str, Callable[[Any], object]] = {
    "a member set": lambda claims: claims.__setitem__("cnf", {}),
    "a member taken out": lambda claims: claims.__delitem__("sub"),
    "merged in place": lambda claims: claims.__ior__({"sub": "x"}),
    "updated": lambda claims: claims.update(sub="x"),
    "popped": lambda claims: claims.pop("sub"),
    "an item popped": lambda claims: claims.popitem(),
    "a default set": lambda claims: claims.setdefault("new", 1),
    "cleared": lambda claims: claims.clear(),
    "an array changed": lambda claims: claims["aud"].append("https://other.example.com"),
    "an inner object changed": lambda claims: claims["extra"].update(team="red"),
    "an inner array changed": lambda claims: claims["extra"]["team"].append("red"),
    "an object in an array changed": lambda claims: claims["extra"]["deep"][0].update(a=2),
}


def seen_twice(world: World, kind: str) -> tuple[Principal, Callable[[], Principal]]:
    """A caller by a token of that kind, and the caller of the next request with it, by cache."""
    guard = world.guard(identity=True)
    token = world.token(**FURTHER) if kind == "token" else world.issuer.reference(**world.claims(**FURTHER))
    asked = bearer(token)
    return guard.check_sync(asked), lambda: guard.check_sync(asked)


@pytest.mark.parametrize("kind", ["token", "reference"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_handler_cannot_alter_what_the_next_request_sees(world: World, kind: str, change: str) -> None:
    principal, again = seen_twice(world, kind)
    before = json.dumps(principal.claims)
    with pytest.raises((TypeError, AttributeError)):
        CHANGES[change](principal.claims)
    assert json.dumps(again().claims) == before


@pytest.mark.parametrize("kind", ["token", "reference"])
def test_a_copy_is_the_callers_own(world: World, kind: str) -> None:
    principal, again = seen_twice(world, kind)
    own: Any = copy.deepcopy(dict(principal.claims))
    own["extra"]["team"].append("red")
    own["sub"] = "x"
    assert again().claims["extra"] == {"team": ("blue",), "deep": ({"a": 1},)}
    assert again().subject == again().claims["sub"] == "orders-client"


def test_claims_can_be_written_and_sent_to_another_process(world: World) -> None:
    principal, _ = seen_twice(world, "token")
    assert json.loads(json.dumps(principal.claims)) == world.claims(**FURTHER)
    assert msgspec.json.decode(msgspec.json.encode(principal.claims)) == world.claims(**FURTHER)
    assert pickle.loads(pickle.dumps(principal.claims)) == principal.claims  # noqa: S301 - the test's own bytes


def test_a_principal_made_by_hand_is_no_more_open() -> None:
    open_claims: dict[str, object] = {"roles": ["reader"]}
    principal = Principal(
        client_id="c", subject="c", scopes=frozenset(), issuer="i", audience=("a",), token_id="t", expires_at=1.0,
        claims=open_claims,
    )  # fmt: skip
    open_claims["roles"] = ["admin"]
    assert principal.claims == {"roles": ("reader",)}
