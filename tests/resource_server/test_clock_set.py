"""A clock that is set back makes nothing younger that is kept; what tokens say of time is still told by that clock."""

from __future__ import annotations

import time

import pytest

from ostiary.resource_server.elapsed import elapsed
from tests.resource_server.world import DIRECT, World, bearer, failed_check, request


def test_keys_are_renewed_in_time(world: World) -> None:
    guard = world.guard()
    asked = bearer(world.token(iat=int(world.clock.now) - 4000, exp=int(world.clock.now) + 9000))
    guard.check_sync(asked)
    world.clock.set(-3600)
    world.clock.now += 301
    guard.check_sync(asked)
    assert world.issuer.asked["/jwks"] == 2


def test_a_withdrawn_key_ends_the_tokens_seen_before_in_time(world: World) -> None:
    guard = world.guard()
    asked = bearer(world.token(iat=int(world.clock.now) - 4000, exp=int(world.clock.now) + 9000))
    guard.check_sync(asked)
    world.issuer.jwks.clear()
    world.clock.set(-3600)
    world.clock.now += 301
    assert failed_check(world.refusal(guard, asked)[1]) == "key"


def test_keys_of_an_issuer_that_is_out_are_not_trusted_longer(world: World) -> None:
    guard = world.guard()
    asked = bearer(world.token(iat=int(world.clock.now) - 4000, exp=int(world.clock.now) + 9000))
    guard.check_sync(asked)
    world.issuer.down = True
    world.clock.set(-3600)
    world.clock.now += 3601
    assert world.refusal(guard, asked)[0].status == 503


def test_an_introspection_answer_is_not_kept_longer(world: World) -> None:
    guard = world.guard(identity=True)
    reference = world.issuer.reference(**world.claims(iat=int(world.clock.now) - 90, exp=int(world.clock.now) + 900))
    guard.check_sync(bearer(reference))
    world.issuer.answers[reference] = {"active": False}
    world.clock.set(-60)
    world.clock.now += 4.9
    assert guard.check_sync(bearer(reference))
    world.clock.now += 0.2
    assert failed_check(world.refusal(guard, bearer(reference))[1]) == "introspection"


def test_a_clients_key_is_not_kept_longer(world: World) -> None:
    guard = world.guard(direct=True)
    key = world.client_key()
    guard.check_sync(request((DIRECT, world.direct(key))))
    world.issuer.client_keys.clear()
    world.clock.set(-50)
    world.clock.now += 31
    asked = request((DIRECT, world.direct(key, jti="second")))
    assert failed_check(world.refusal(guard, asked)[1]) == "key"


def test_an_unknown_key_is_asked_about_again_in_time(world: World) -> None:
    guard = world.guard(direct=True)
    key = world.client_key()
    known = dict(world.issuer.client_keys)
    world.issuer.client_keys.clear()
    world.refusal(guard, request((DIRECT, world.direct(key))))
    world.issuer.client_keys.update(known)
    world.clock.set(-50)
    world.clock.now += 11
    assert guard.check_sync(request((DIRECT, world.direct(key))))


def test_a_token_seen_before_is_verified_anew_when_its_life_is_over(world: World) -> None:
    """Anew, and so found to be issued in the future of this clock."""
    guard = world.guard()
    asked = bearer(world.token(exp=int(world.clock.now) + 20))
    guard.check_sync(asked)
    world.clock.set(-3600)
    world.clock.now += 29.9
    assert guard.check_sync(asked)
    world.clock.now += 0.2
    assert failed_check(world.refusal(guard, asked)[1]) == "issued_at"


def test_a_clock_set_forward_ends_a_token_at_once(world: World) -> None:
    guard = world.guard()
    asked = bearer(world.token())
    guard.check_sync(asked)
    world.clock.set(311)
    assert failed_check(world.refusal(guard, asked)[1]) == "expiry"


def test_a_guard_ages_its_caches_by_a_clock_that_nobody_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    before = elapsed()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 0 <= elapsed() - before < 60
