"""Tokens seen before: what is remembered, and what is checked nevertheless."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

from ostiary.protocol.jwk import SigningKey
from ostiary.resource_server.token_cache import TokenCache, Verified
from tests.resource_server.world import World, bearer, failed_check


def test_a_token_seen_before_is_not_admitted_beyond_its_end(world: World) -> None:
    guard = world.guard()
    asked = bearer(world.token(exp=int(world.clock.now) + 20))
    guard.check_sync(asked)
    world.clock.now += 29.9
    assert guard.check_sync(asked)
    world.clock.now += 0.1  # 20 s of life and 10 s of leeway
    assert failed_check(world.refusal(guard, asked)[1]) == "expiry"


def test_a_token_seen_before_still_needs_its_scopes(world: World) -> None:
    guard = world.guard()
    asked = bearer(world.token())
    guard.check_sync(asked, ["orders:read"])
    refused, record = world.refusal(guard, asked, "orders:write")
    assert refused.status == 403
    assert [check.name for check in record.checks] == ["signature", "issuer", "audience", "expiry", "scopes"]
    assert "before" in record.checks[0].seen


def test_a_seen_token_with_one_changed_character_is_a_new_one(world: World) -> None:
    guard = world.guard()
    token = world.token()
    guard.check_sync(bearer(token))
    head, payload, signature = token.split(".")
    changed = ("A" if signature[5] != "A" else "B").join((signature[:5], signature[6:]))
    assert failed_check(world.refusal(guard, bearer(f"{head}.{payload}.{changed}"))[1]) == "signature"


def test_the_memory_is_bounded_and_holds_no_token(world: World) -> None:
    guard = world.guard(token_cache_size=3)
    tokens = [world.token(jti=f"j{number}") for number in range(10)]
    for token in tokens:
        guard.check_sync(bearer(token))
    cache = guard.verifier.cache
    assert len(cache) == 3
    assert not any(token in repr(cache.get(digest)) for token in tokens for digest in cache.digests())


def test_forgeries_do_not_fill_the_memory(world: World) -> None:
    guard = world.guard()
    world.refusal(guard, bearer(world.token(aud="https://other.example.com")))
    assert len(guard.verifier.cache) == 0


def test_a_size_of_zero_remembers_nothing(world: World) -> None:
    guard = world.guard(token_cache_size=0)
    guard.check_sync(bearer(world.token()))
    assert len(guard.verifier.cache) == 0


def test_the_oldest_makes_room(world: World) -> None:
    guard = world.guard(token_cache_size=2)
    tokens = [world.token(jti=jti) for jti in ("first", "second", "third")]
    for token in tokens:
        guard.check_sync(bearer(token))
    assert guard.verifier.cache.digests() == [sha256(token.encode()).digest() for token in tokens[1:]]


def test_what_was_forgotten_and_came_again_makes_the_memory_no_larger(world: World) -> None:
    guard = world.guard(token_cache_size=2)
    cache, again = guard.verifier.cache, world.token(jti="again")
    for jti in ("a", "b", "c"):
        guard.check_sync(bearer(again))
        cache.discard(sha256(again.encode()).digest())
        guard.check_sync(bearer(world.token(jti=jti)))
        assert len(cache) <= 2


def test_many_threads_do_not_make_the_memory_larger(world: World) -> None:
    cache = TokenCache(size=50)
    caller, key = world.guard().check_sync(bearer(world.token())), SigningKey.generate("ES256").verification_key
    remembered = Verified(caller, key, until=1.0)

    def add(thread: int) -> None:
        for number in range(2000):
            cache.add(b"%d %d" % (thread, number), remembered)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(8)))
    assert len(cache) <= 50
