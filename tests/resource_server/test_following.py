"""A guard that follows the issuer's revocation feed, over real HTTP, with its real thread."""

from __future__ import annotations

from collections import Counter

import pytest

from ostiary.protocol.revocation_feed import Kind
from ostiary.resource_server import ResourceServer
from tests.resource_server.waiting import until
from tests.resource_server.world import World, bearer, failed_check


def position_of(guard: ResourceServer) -> int:
    return next(iter(guard.revocation_status().values())).position


def caught_up(world: World, guard: ResourceServer) -> None:
    until(lambda: position_of(guard) == world.issuer.feed.position)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("jti", "jti-1"),
        ("grant", "gr_1"),
        ("client", "orders-client"),
        ("sub", "usr_1"),
        ("sid", "ses_1"),
        ("client_key", "key-1"),
        ("signing_key", ""),
        ("installation", ""),
    ],
)
def test_each_kind_of_revocation_ends_the_next_request(world: World, kind: Kind, value: str) -> None:
    """attack 33."""
    guard = world.following()
    feed = world.issuer.feed
    feed.position = 7  # where the log stood when the token was issued
    asked = bearer(world.token(sub="usr_1", sid="ses_1", client_key="key-1"))
    assert guard.check_sync(asked)
    until(lambda: 7 in feed.acknowledged.values())
    before = world.issuer.asked - Counter({"/revocations/applied": 99})
    feed.revoke(kind, value or (world.issuer.key.kid if kind == "signing_key" else ""))
    caught_up(world, guard)
    refused, record = world.refusal(guard, asked)
    assert (refused.status, refused.code, failed_check(record)) == (401, "invalid_token", "revocation")
    assert world.issuer.asked - Counter({"/revocations/applied": 99}) == before


@pytest.mark.parametrize("kind", ["grant", "client", "sub", "installation"])
def test_a_token_issued_after_the_revocation_stands(world: World, kind: Kind) -> None:
    values = {"grant": "gr_1", "client": "orders-client", "sub": "orders-client", "installation": ""}
    position = world.issuer.feed.revoke(kind, values[kind])
    guard = world.following()
    assert guard.check_sync(bearer(world.token(rev=position)))
    assert failed_check(world.refusal(guard, bearer(world.token(rev=position - 1)))[1]) == "revocation"
    assert failed_check(world.refusal(guard, bearer(world.token(rev=None)))[1]) == "revocation"


def test_the_first_request_waits_for_the_whole_log(world: World) -> None:
    feed = world.issuer.feed
    feed.page = 3
    for number in range(20):
        feed.revoke("jti", f"other-{number}")
    feed.revoke("jti", "jti-1")
    guard = world.following()
    assert failed_check(world.refusal(guard, bearer(world.token()))[1]) == "revocation"
    assert guard.revocation_status()[world.issuer.issuer].rows == 21


def test_past_max_staleness_it_refuses_with_503_and_admits_again_once_the_issuer_speaks(world: World) -> None:
    """attack 26: a feed that is held back admits nobody."""
    feed = world.issuer.feed
    feed.at = lambda: int(world.clock.elapsed() * 1000)
    guard = world.following()
    asked = bearer(world.token())
    assert guard.check_sync(asked)
    world.clock.now += 29.9
    assert guard.check_sync(asked)
    world.clock.now += 0.2
    refused, _ = world.refusal(guard, asked)
    assert (refused.status, refused.headers["Retry-After"]) == (503, "2")
    feed.beat()
    until(lambda: guard.revocation_status()[world.issuer.issuer].staleness < 1)
    assert guard.check_sync(asked)


def test_past_max_staleness_it_asks_about_the_token_where_that_was_chosen(world: World) -> None:
    guard = world.following(when_stale="introspect")
    token = world.token()
    assert guard.check_sync(bearer(token))
    assert world.issuer.asked["/introspect"] == 0
    world.clock.now += 31
    assert failed_check(world.refusal(guard, bearer(token))[1]) == "introspection"
    world.clock.now += 6
    world.issuer.answers[token] = {"active": True}
    assert guard.check_sync(bearer(token))
    assert world.issuer.asked["/introspect"] == 2
    world.issuer.down = True
    world.clock.now += 6
    assert world.refusal(guard, bearer(token))[0].status == 503
