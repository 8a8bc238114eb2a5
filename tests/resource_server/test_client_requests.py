"""A client's own JWT straight to an API: every claim required, used once, and never a way around tokens."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import valkey

from ostiary.errors import ConfigurationError, Unavailable, VerificationError
from ostiary.protocol import strict_json
from ostiary.protocol.jwk import SigningKey, parse_public_key
from ostiary.replay.sqlite import SqliteReplayMemory
from ostiary.resource_server import ApiRequest
from ostiary.resource_server.attempt import Attempt
from ostiary.resource_server.configuration import default_replay_file
from ostiary.resource_server.needs import ClientKeyFound, NeedClientKey
from ostiary.secret_files import write_secret_file
from tests.contract.replay.memories import valkey_memory
from tests.real_parts.valkey import ValkeyServer
from tests.resource_server.world import AUDIENCE, DIRECT, World, bearer, failed_check, request


def direct(token: str, *, method: str = "GET", path: str = "/orders", query: str = "") -> ApiRequest:
    return request((DIRECT, token), method=method, path=path, query=query)


def test_a_good_client_jwt_is_admitted_with_the_scopes_of_the_key_store(world: World) -> None:
    guard = world.guard(direct=True)
    principal = guard.check_sync(direct(world.direct(world.client_key())), ["orders:read"])
    assert (principal.kind, principal.client_id, principal.subject) == (
        "client_request",
        "orders-client",
        "orders-client",
    )
    assert principal.issuer == world.issuer.issuer
    assert principal.scopes == {"orders:read"}


def test_scopes_that_the_key_store_does_not_allow_are_403(world: World) -> None:
    guard = world.guard(direct=True)
    token = world.direct(world.client_key())
    assert world.refusal(guard, direct(token), "orders:write")[0].status == 403


@pytest.mark.parametrize(
    ("changed", "check"),
    [
        ({"iss": "other-client"}, "subject"),
        ({"sub": "other-client"}, "subject"),
        ({"iss": None}, "issuer"),
        ({"sub": None}, "subject"),
        ({"aud": "https://other.example.com"}, "audience"),
        ({"aud": [AUDIENCE, "https://other.example.com"]}, "audience"),
        ({"aud": None}, "audience"),
        ({"htm": "POST"}, "method"),
        ({"htm": "get"}, "method"),
        ({"htm": None}, "method"),
        ({"htu": f"{AUDIENCE}/orders/1"}, "url"),
        ({"htu": "https://other.example.com/orders"}, "url"),
        ({"htu": None}, "url"),
        ({"jti": None}, "jti"),
        ({"exp": 1}, "expiry"),
        ({"exp": None}, "expiry"),
        ({"exp": 2**33}, "lifetime"),
        ({"iat": None}, "issued_at"),
        ({"iat": 2**33}, "issued_at"),
        ({"nbf": 2**33}, "not_before"),
        ({"typ": "JWT"}, "type"),
        ({"typ": "at+jwt"}, "type"),
        ({"typ": "client-authentication+jwt"}, "type"),
        ({"typ": "dpop+jwt"}, "type"),
    ],
)
def test_one_fault_is_refused_with_its_reason(world: World, changed: dict[str, Any], check: str) -> None:
    """standards 8: a client assertion and an access token fail in this place."""
    guard = world.guard(direct=True)
    typ = str(changed.get("typ", "ostiary-request+jwt"))
    claims = {name: value for name, value in changed.items() if name != "typ"}
    refused, record = world.refusal(guard, direct(world.direct(world.client_key(), typ=typ, **claims)))
    assert (refused.status, failed_check(record)) == (401, check)


def test_an_access_token_in_the_header_for_client_jwts_is_refused(world: World) -> None:
    """standards 8."""
    assert failed_check(world.refusal(world.guard(direct=True), direct(world.token()))[1]) == "type"


def test_a_client_jwt_as_bearer_token_is_refused(world: World) -> None:
    """standards 8."""
    guard = world.guard(direct=True)
    assert failed_check(world.refusal(guard, bearer(world.direct(world.client_key())))[1]) == "type"


def test_a_token_and_a_client_jwt_in_one_request_are_refused(world: World) -> None:
    guard = world.guard(direct=True)
    both = request(("Authorization", f"Bearer {world.token()}"), (DIRECT, world.direct(world.client_key())))
    assert world.refusal(guard, both)[0].status == 400


def test_two_client_jwts_in_one_request_are_refused(world: World) -> None:
    token = world.direct(world.client_key())
    assert world.refusal(world.guard(direct=True), request((DIRECT, token), (DIRECT, token)))[0].status == 400


def test_a_client_jwt_is_admitted_once(world: World) -> None:
    guard = world.guard(direct=True)
    asked = direct(world.direct(world.client_key()))
    assert guard.check_sync(asked)
    for _ in range(3):
        refused, record = world.refusal(guard, asked)
        assert (refused.status, refused.description, failed_check(record)) == (401, "already used", "replay")
    assert len(guard.verifier.cache) == 0


def test_the_same_jti_with_another_end_is_still_used(world: World) -> None:
    guard = world.guard(direct=True)
    key = world.client_key()
    guard.check_sync(direct(world.direct(key, jti="one")))
    again = world.direct(key, jti="one", exp=int(world.clock.now) + 45)
    assert failed_check(world.refusal(guard, direct(again))[1]) == "replay"


def test_a_refused_client_jwt_does_not_use_its_jti_up(world: World) -> None:
    """Replay is looked at last, so that forgeries and refusals cannot fill the memory."""
    guard = world.guard(direct=True)
    token = world.direct(world.client_key())
    world.refusal(guard, direct(token), "orders:write")
    world.refusal(guard, direct(token, method="POST"))
    assert guard.check_sync(direct(token), ["orders:read"])


def test_the_memory_outlives_the_last_moment_at_which_the_jwt_is_good(world: World) -> None:
    guard = world.guard(direct=True, leeway=60, client_key_ttl=600)
    asked = direct(world.direct(world.client_key()))
    guard.check_sync(asked)
    world.clock.now += 89.9
    assert failed_check(world.refusal(guard, asked)[1]) == "replay"
    world.clock.now += 0.2
    assert failed_check(world.refusal(guard, asked)[1]) == "expiry"


def test_a_replay_memory_that_fails_refuses_with_503(world: World) -> None:
    class Broken:
        async def first_time(self, issuer: str, jti: str, *, expires_at: float, now: float) -> bool:
            raise Unavailable("replay memory", "disk full")

        def first_time_sync(self, issuer: str, jti: str, *, expires_at: float, now: float) -> bool:
            raise Unavailable("replay memory", "disk full")

    refused, record = world.refusal(world.guard(direct=True, replay=Broken()), direct(world.direct(world.client_key())))
    assert (refused.status, record.outcome) == (503, "fault")


def test_a_key_of_another_client_proves_nothing(world: World) -> None:
    """The claims must name the owner of the key."""
    guard = world.guard(direct=True)
    mallory = world.client_key("mallory")
    token = world.direct(mallory, client_id="orders-client")
    assert failed_check(world.refusal(guard, direct(token))[1]) == "key"


@pytest.mark.parametrize("fault", ["client", "kid"])
def test_the_key_found_must_be_the_one_that_was_asked_for(world: World, fault: str) -> None:
    """standards 8: whatever the key store, or a memory of its answers, hands out."""
    guard = world.guard(direct=True)
    key = world.client_key()
    renamed = parse_public_key(strict_json.encode({**key.verification_key.public_jwk(), "kid": "other"}))
    attempt = Attempt(request((DIRECT, world.direct(key))), (), world.clock(), world.clock.elapsed())
    decision = guard.verifier.verify(attempt)
    assert next(decision) == NeedClientKey("orders-client", key.kid)
    found = ClientKeyFound("orders-client", renamed) if fault == "kid" else ClientKeyFound("else", key.verification_key)
    with pytest.raises(VerificationError) as caught:
        decision.send(found)
    assert caught.value.check == "key"


def test_an_answer_about_another_client_is_a_fault(world: World) -> None:
    guard = world.guard(direct=True)
    key = world.client_key()
    world.issuer.client_keys["orders-client", key.kid]["client_id"] = "mallory"
    assert world.refusal(guard, direct(world.direct(key)))[0].status == 503


def test_an_unknown_client_is_asked_about_once_in_ten_seconds(world: World) -> None:
    guard = world.guard(direct=True)
    key = SigningKey.generate("ES256")
    for number in range(5):
        world.refusal(guard, direct(world.direct(key, jti=f"j{number}")))
    assert world.issuer.asked["/client-keys"] == 1
    world.clock.now += 10
    world.refusal(guard, direct(world.direct(key)))
    assert world.issuer.asked["/client-keys"] == 2


def test_a_key_is_kept_thirty_seconds_and_a_retired_one_no_longer(world: World) -> None:
    guard = world.guard(direct=True)
    key = world.client_key()
    guard.check_sync(direct(world.direct(key, jti="a")))
    world.issuer.client_keys.clear()
    world.clock.now += 29
    assert guard.check_sync(direct(world.direct(key, jti="b")))
    assert world.issuer.asked["/client-keys"] == 1
    world.clock.now += 1
    assert failed_check(world.refusal(guard, direct(world.direct(key, jti="c")))[1]) == "key"


def test_a_key_is_not_kept_beyond_its_own_end(world: World) -> None:
    guard = world.guard(direct=True)
    key = world.client_key()
    entry = world.issuer.client_keys["orders-client", key.kid]
    entry["keys"] = [{**key.verification_key.public_jwk(), "exp": world.clock.now + 5}]
    guard.check_sync(direct(world.direct(key, jti="a")))
    world.issuer.client_keys.clear()
    world.clock.now += 5
    assert failed_check(world.refusal(guard, direct(world.direct(key, jti="b")))[1]) == "key"


def test_the_url_is_the_configured_one_whatever_the_host_header_says(world: World) -> None:
    guard = world.guard(direct=True, public_url="https://gateway.example.com/shop")
    key = world.client_key()
    token = world.direct(key, htu="https://gateway.example.com/shop/orders")
    assert guard.check_sync(request((DIRECT, token), ("Host", "evil.example.com"), query="page=2"))
    forged = world.direct(key, htu="https://evil.example.com/orders", jti="b")
    asked = request((DIRECT, forged), ("Host", "evil.example.com"), ("X-Forwarded-Host", "evil.example.com"))
    assert failed_check(world.refusal(guard, asked)[1]) == "url"


def test_where_they_are_not_accepted_a_client_jwt_is_no_credential(world: World) -> None:
    refused, record = world.refusal(world.guard(), direct(world.direct(world.client_key())))
    assert (refused.status, failed_check(record)) == (401, "credential")


def test_the_header_can_be_named_otherwise_but_not_authorization(world: World) -> None:
    guard = world.guard(direct=True, client_request_header="X-Our-JWT")
    assert guard.check_sync(request(("X-Our-JWT", world.direct(world.client_key()))))
    with pytest.raises(ConfigurationError):
        world.guard(direct=True, client_request_header="Authorization")


def test_without_an_identity_client_jwts_cannot_be_accepted(world: World) -> None:
    with pytest.raises(ConfigurationError, match="OSTIARY_API_KEY_FILE"):
        world.guard(accept_client_requests=True)


def test_an_audience_that_is_no_url_needs_a_public_url(world: World) -> None:
    with pytest.raises(ConfigurationError, match="OSTIARY_PUBLIC_URL"):
        world.guard(direct=True, audience="urn:orders")


def test_the_event_loop_uses_the_shared_file(world: World) -> None:
    async def twice() -> None:
        guard = world.guard(direct=True, replay=None, environment={"OSTIARY_REPLAY_FILE": str(world.folder / "r.db")})
        asked = direct(world.direct(world.client_key()))
        assert await guard.check(asked)
        with pytest.raises(Exception, match="already used"):
            await guard.check(asked)

    asyncio.run(twice())
    assert (world.folder / "r.db").exists()


def test_a_jwt_used_in_one_process_is_refused_in_another(world: World) -> None:
    """standards 8: single use, across the processes of a host."""
    path = world.folder / "replay.db"
    guard = world.guard(direct=True, replay=SqliteReplayMemory(path))
    key = world.client_key()
    token = world.direct(key)
    assert guard.check_sync(direct(token))
    program = Path(__file__).with_name("second_process.py")
    arguments = [sys.executable, str(program), world.issuer.issuer, AUDIENCE, str(path)]
    fresh = world.direct(key, jti="fresh")
    write_secret_file(world.folder / "api.json", world.issuer.credential().to_json())
    answers = subprocess.run(
        [*arguments, str(world.folder / "api.json")],
        input=f"{token}\n{fresh}\n{fresh}\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout.splitlines()
    assert answers == ["already used", "orders-client", "already used"]
    assert failed_check(world.refusal(guard, direct(fresh))[1]) == "replay"


def test_the_hosts_of_an_api_share_valkey(world: World) -> None:
    """standards 8: single use, across hosts."""
    key = world.client_key()
    with ValkeyServer() as server:
        secret = world.folder / "valkey-url"
        write_secret_file(secret, server.url.encode())
        one = world.guard(direct=True, replay=None, environment={"OSTIARY_REPLAY_URL": server.url})
        other = world.guard(direct=True, replay=None, environment={"OSTIARY_REPLAY_URL_FILE": str(secret)})
        valkey_memory(server.url, name=AUDIENCE, longest_life=60 + 2 * 10 + 1, now=world.clock.now)
        first, second = direct(world.direct(key, jti="first")), direct(world.direct(key, jti="second"))
        assert one.check_sync(first)
        assert failed_check(world.refusal(other, first)[1]) == "replay"
        assert asyncio.run(other.check(second))
        assert failed_check(world.refusal(one, second)[1]) == "replay"


def test_the_longest_life_that_a_client_jwt_may_have_is_remembered_in_valkey(world: World) -> None:
    key = world.client_key()
    with ValkeyServer() as server:
        environment = {"OSTIARY_REPLAY_URL": server.url}
        guard = world.guard(direct=True, leeway=10, replay=None, environment=environment)
        longest = direct(world.direct(key, exp=int(world.clock.now) + 70))
        assert "may have forgotten" in str(world.refusal(guard, longest)[0].__cause__)


def test_a_valkey_that_forgets_when_it_is_full_keeps_an_api_from_starting(world: World) -> None:
    async def start(url: str) -> None:
        guard = world.guard(direct=True, replay=None, environment={"OSTIARY_REPLAY_URL": url})
        async with guard.lifespan():
            pass

    with ValkeyServer() as server:
        with valkey.Valkey.from_url(server.url) as operator:
            operator.config_set("maxmemory-policy", "allkeys-lru")
        with pytest.raises(ConfigurationError, match="noeviction"):
            asyncio.run(start(server.url))
    asyncio.run(start(server.url))  # that it is gone is no reason not to start: tokens are served, client JWTs are not


@pytest.mark.parametrize("other", ["OSTIARY_REPLAY_FILE", "OSTIARY_REPLAY_URL_FILE"])
def test_two_memories_at_once_are_refused(world: World, other: str) -> None:
    environment = {"OSTIARY_REPLAY_URL": "valkey://127.0.0.1/0", other: "/elsewhere"}
    with pytest.raises(ConfigurationError, match=f"OSTIARY_REPLAY_URL and {other}"):
        world.guard(direct=True, replay=None, environment=environment)


def test_the_default_file_is_one_for_each_audience() -> None:
    one = default_replay_file("https://a.example", {"XDG_STATE_HOME": "/state"})
    other = default_replay_file("https://b.example", {"XDG_STATE_HOME": "/state"})
    assert one.parent == other.parent == Path("/state/ostiary")
    assert one != other
    assert default_replay_file("https://a.example", {"OSTIARY_REPLAY_FILE": "/r.db"}) == Path("/r.db")
