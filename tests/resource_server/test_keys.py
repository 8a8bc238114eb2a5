"""The issuer's keys: fetched once, renewed in time, kept through an outage, withdrawn at once."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ostiary.errors import ConfigurationError
from ostiary.protocol.jwk import SigningKey
from ostiary.resource_server import IssuerConfig, Refused, ResourceServer
from tests.resource_server.issuer_server import IssuerServer
from tests.resource_server.world import World, bearer, failed_check

METADATA = "/.well-known/oauth-authorization-server"


def rotated(issuer: IssuerServer) -> SigningKey:
    """A new signing key that the issuer publishes beside its first one."""
    key = SigningKey.generate("ES256")
    issuer.jwks.append(dict(key.verification_key.public_jwk()))
    return key


def settled(issuer: IssuerServer, path: str, count: int) -> bool:
    """Whether the issuer was asked ``count`` times before two seconds are over: renewal runs in the background."""
    ends = time.monotonic() + 2
    while issuer.asked[path] < count and time.monotonic() < ends:
        threading.Event().wait(0.01)
    return issuer.asked[path] == count


def test_fifty_waiting_requests_cause_one_fetch(world: World) -> None:
    async def storm() -> None:
        guard = world.guard()
        world.issuer.hold.clear()
        waiting = [asyncio.ensure_future(guard.check(bearer(world.token(jti=f"j{n}")))) for n in range(50)]
        await asyncio.sleep(0.05)
        world.issuer.hold.set()
        assert len(await asyncio.gather(*waiting)) == 50

    asyncio.run(storm())
    assert world.issuer.asked == {METADATA: 1, "/jwks": 1}


def test_fifty_waiting_threads_with_a_new_kid_cause_one_fetch(world: World) -> None:
    guard = world.guard()
    guard.check_sync(bearer(world.token()))
    key = rotated(world.issuer)
    world.issuer.hold.clear()
    with ThreadPoolExecutor(50) as threads:
        waiting = [threads.submit(guard.check_sync, bearer(world.token(key=key, jti=f"j{n}"))) for n in range(50)]
        time.sleep(0.1)
        world.issuer.hold.set()
        assert all(future.result() for future in waiting)
    assert world.issuer.asked["/jwks"] == 2


def test_a_waiter_that_gives_up_takes_nobody_down(world: World) -> None:
    async def two() -> None:
        guard = world.guard()
        world.issuer.hold.clear()
        first = asyncio.ensure_future(guard.check(bearer(world.token())))
        second = asyncio.ensure_future(guard.check(bearer(world.token(jti="other"))))
        await asyncio.sleep(0.05)
        first.cancel()
        world.issuer.hold.set()
        assert (await second).token_id == "other"

    asyncio.run(two())


def flood(world: World, guard: ResourceServer, seconds: int) -> None:
    """Four forged kids a second for so long."""
    for second in range(seconds * 4):
        forged = SigningKey.generate("ES256", kid=f"forged-{second}-{world.clock.now}")
        refused, record = world.refusal(guard, bearer(world.token(key=forged)))
        assert (refused.status, failed_check(record)) == (401, "key")
        world.clock.now += 0.25


def lasting_keys(world: World) -> ResourceServer:
    """A guard that has just fetched keys that are not due within the test."""
    world.issuer.max_age = 3600
    guard = world.guard()
    guard.check_sync(bearer(world.token()))
    return guard


def test_forged_kids_ask_the_issuer_five_times_in_the_first_minute_and_then_four_times(world: World) -> None:
    guard = lasting_keys(world)
    flood(world, guard, 60)
    assert world.issuer.asked["/jwks"] == 1 + 5
    flood(world, guard, 60)
    assert world.issuer.asked["/jwks"] == 1 + 5 + 4


def test_a_new_key_is_known_within_fifteen_seconds_of_a_flood_of_forged_kids(world: World) -> None:
    guard = lasting_keys(world)
    flood(world, guard, 121)  # just after an unknown kid was asked about
    key = rotated(world.issuer)
    flood(world, guard, 15)
    assert guard.check_sync(bearer(world.token(key=key)))


def test_a_new_key_after_a_few_forged_kids_is_known_within_five_seconds(world: World) -> None:
    guard = lasting_keys(world)
    flood(world, guard, 1)
    key = rotated(world.issuer)
    world.refusal(guard, bearer(world.token(key=key)))
    world.clock.now += 4
    assert guard.check_sync(bearer(world.token(key=key)))


def test_a_key_that_was_new_makes_the_next_one_known_sooner(world: World) -> None:
    guard = lasting_keys(world)
    flood(world, guard, 121)
    first = rotated(world.issuer)
    flood(world, guard, 15)
    assert guard.check_sync(bearer(world.token(key=first)))
    second, asked = rotated(world.issuer), world.issuer.asked["/jwks"]
    flood(world, guard, 6)
    assert world.issuer.asked["/jwks"] == asked + 1
    assert guard.check_sync(bearer(world.token(key=second)))


def test_an_issuer_in_trouble_is_asked_no_more_often_about_forged_kids(world: World) -> None:
    guard = lasting_keys(world)
    world.issuer.down = True
    for number in range(60):
        forged = SigningKey.generate("ES256", kid=f"forged-{number}")
        assert world.refusal(guard, bearer(world.token(key=forged)))[0].status == 503
        world.clock.now += 1
    assert world.issuer.asked[METADATA] == 1 + 5


def test_a_token_without_kid_is_refused_unasked(world: World) -> None:
    from ostiary.protocol import base64url, strict_json

    guard = world.guard()
    guard.check_sync(bearer(world.token()))
    header = base64url.encode(strict_json.encode({"alg": "ES256", "typ": "at+jwt"}))
    signing_input = header + b"." + world.token().split(".")[1].encode()
    token = signing_input + b"." + base64url.encode(world.issuer.key.sign(signing_input))
    assert failed_check(world.refusal(guard, bearer(token.decode()))[1]) == "key"
    assert world.issuer.asked["/jwks"] == 1


def test_keys_are_renewed_in_the_background_before_they_are_stale(world: World) -> None:
    guard = world.guard()
    asked = bearer(world.token(exp=int(world.clock.now) + 3000))
    guard.check_sync(asked)
    world.clock.now += 239
    guard.check_sync(asked)
    assert world.issuer.asked["/jwks"] == 1
    world.clock.now += 2  # 241 of 300 s: due
    world.issuer.hold.clear()
    guard.check_sync(asked)  # answered although the issuer hangs
    world.issuer.hold.set()
    assert settled(world.issuer, "/jwks", 2)


def test_the_life_of_keys_follows_cache_control_within_bounds(world: World) -> None:
    world.issuer.max_age = 0
    guard = world.guard()
    asked = bearer(world.token())
    guard.check_sync(asked)
    guard.check_sync(asked)
    assert world.issuer.asked["/jwks"] == 1
    world.clock.now += 31
    guard.check_sync(asked)
    assert world.issuer.asked["/jwks"] == 2


def test_keys_are_kept_through_an_outage_and_then_refused_with_503(world: World) -> None:
    guard = world.guard(issuer=IssuerConfig(world.issuer.issuer, keep_keys_for=1800))
    long_lived: dict[str, Any] = {"exp": int(world.clock.now) + 10_000}
    seen = bearer(world.token(**long_lived))
    guard.check_sync(seen)
    world.issuer.down = True
    world.clock.now += 1799
    assert guard.check_sync(seen)
    assert guard.check_sync(bearer(world.token(jti="new", **long_lived)))
    world.clock.now += 1
    for asked in (seen, bearer(world.token(jti="newer", **long_lived))):
        refused, record = world.refusal(guard, asked)
        assert (refused.status, refused.code) == (503, "temporarily_unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        assert record.outcome == "fault"
    world.issuer.down = False
    world.clock.now += 10
    assert guard.check_sync(seen)


def test_an_issuer_in_trouble_is_not_asked_at_every_request(world: World) -> None:
    guard = world.guard()
    world.issuer.down = True
    for _ in range(10):
        assert world.refusal(guard, bearer(world.token()))[0].status == 503
    assert world.issuer.asked[METADATA] == 1
    world.clock.now += 6
    world.issuer.down = False
    assert guard.check_sync(bearer(world.token()))


def test_a_withdrawn_key_ends_the_tokens_that_were_seen_before(world: World) -> None:
    guard = world.guard()
    asked = bearer(world.token())
    guard.check_sync(asked)
    rotated(world.issuer)
    del world.issuer.jwks[0]
    world.clock.now += 301  # stale by now, so the next request asks before it admits
    assert failed_check(world.refusal(guard, bearer(world.token(jti="fresh")))[1]) == "key"
    assert failed_check(world.refusal(guard, asked)[1]) == "key"


def test_a_key_replaced_under_its_own_kid_ends_the_tokens_seen_before(world: World) -> None:
    guard = world.guard()
    asked = bearer(world.token())
    guard.check_sync(asked)
    other = SigningKey.generate("ES256", kid=world.issuer.key.kid)
    world.issuer.jwks[0] = dict(other.verification_key.public_jwk())
    world.clock.now += 301
    assert failed_check(world.refusal(guard, asked)[1]) == "signature"


def test_metadata_of_another_issuer_is_refused(world: World) -> None:
    """standards 98."""
    world.issuer.claimed_issuer = "https://evil.example.com"
    refused, record = world.refusal(world.guard(), bearer(world.token()))
    assert refused.status == 503
    assert "issuer mismatch" in record.checks[-1].seen
    assert world.issuer.asked["/jwks"] == 0


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (METADATA, (302, {"Location": "http://127.0.0.1:1/"}, b"")),
        (METADATA, (200, {}, b"[]")),
        ("/jwks", (302, {"Location": "http://127.0.0.1:1/"}, b"")),
        ("/jwks", (200, {}, b"no json")),
        ("/jwks", (200, {}, b'{"keys":[' + b" " * 300_000 + b"]}")),
        ("/jwks", (200, {"Content-Encoding": "gzip"}, b"x")),
    ],
)
def test_an_unusable_answer_of_the_issuer_is_503(
    world: World, path: str, answer: tuple[int, dict[str, str], bytes]
) -> None:
    world.issuer.raw[path] = answer
    assert world.refusal(world.guard(), bearer(world.token()))[0].status == 503


def test_private_keys_in_the_issuers_set_are_never_used(world: World) -> None:
    world.issuer.jwks[0] = dict(world.issuer.key.private_jwk())
    assert world.refusal(world.guard(), bearer(world.token()))[0].status == 503


def test_an_issuer_is_reached_at_its_internal_url(world: World) -> None:
    """The public name is compared, the internal one is connected to."""
    public = "https://auth.example.com"
    inside = world.issuer.issuer
    world.issuer.issuer = public
    guard = world.guard(issuer=IssuerConfig(public, internal_url=inside))
    assert guard.check_sync(bearer(world.token())).issuer == public


@pytest.mark.parametrize("url", ["http://auth.internal:8400", "ftp://127.0.0.1", "http://127.0.0.1.example.com"])
def test_keys_never_travel_in_the_clear_beyond_loopback(url: str) -> None:
    with pytest.raises(ConfigurationError, match="https"):
        IssuerConfig("https://auth.example.com", internal_url=url)


def test_a_jwks_uri_in_the_clear_beyond_loopback_is_503(world: World) -> None:
    import json

    members = {**world.issuer.metadata(), "jwks_uri": "http://keys.example.com/jwks"}
    world.issuer.raw[METADATA] = (200, {}, json.dumps(members).encode())
    refused, record = world.refusal(world.guard(), bearer(world.token()))
    assert refused.status == 503
    assert "https" in record.checks[-1].seen


def test_an_issuer_that_is_out_does_not_keep_the_application_from_starting(world: World) -> None:
    world.issuer.down = True

    async def start() -> None:
        guard = world.guard()
        async with guard.lifespan():
            with pytest.raises(Refused, match="503"):
                await guard.check(bearer(world.token()))

    asyncio.run(start())
