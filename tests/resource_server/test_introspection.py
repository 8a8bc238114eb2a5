"""Reference tokens at an API: the issuer is asked, by the API itself, and its answer kept for a short time."""

from __future__ import annotations

import asyncio
import gc
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ostiary.protocol import token_format
from ostiary.resource_server.answer_cache import AnswerCache
from tests.resource_server.world import World, bearer, failed_check


def active(world: World, **changed: object) -> str:
    """An active reference token."""
    return world.issuer.reference(**world.claims(**changed))


def test_an_active_reference_token_is_admitted_like_a_self_contained_one(world: World) -> None:
    """Two formats, one rule."""
    guard = world.guard(identity=True)
    principal = guard.check_sync(bearer(active(world)), ["orders:read"])
    other = guard.check_sync(bearer(world.token()), ["orders:read"])
    fields = (
        "client_id",
        "subject",
        "scopes",
        "issuer",
        "audience",
        "token_id",
        "grant_id",
        "rev",
        "expires_at",
        "kind",
    )
    assert [getattr(principal, name) for name in fields] == [getattr(other, name) for name in fields]


@pytest.mark.parametrize(
    ("changed", "check"),
    [
        ({"active": False}, "introspection"),
        ({"iss": "https://evil.example.com"}, "issuer"),
        ({"aud": "https://other.example.com"}, "audience"),
        ({"aud": None}, "audience"),
        ({"exp": 1}, "expiry"),
        ({"exp": None}, "expiry"),
        ({"nbf": 2**33}, "not_before"),
        ({"iat": 2**33}, "issued_at"),
        ({"client_id": None}, "client"),
        ({"cnf": {"jkt": "x"}}, "sender_constraint"),
    ],
)
def test_one_fault_in_the_answer_is_refused(world: World, changed: dict[str, Any], check: str) -> None:
    """standards 49, 60; attack 17, attack 32."""
    refused, record = world.refusal(world.guard(identity=True), bearer(active(world, **changed)))
    assert (refused.status, failed_check(record)) == (401, check)


def test_members_that_are_null_are_absent(world: World) -> None:
    token = active(world)
    world.issuer.answers[token] |= {"grant_id": None, "rev": None, "cnf": None}
    assert world.guard(identity=True).check_sync(bearer(token)).grant_id is None


def test_without_an_identity_reference_tokens_are_refused_with_a_clear_reason(world: World) -> None:
    refused, record = world.refusal(world.guard(), bearer(active(world)))
    assert (refused.status, refused.description) == (401, "this API takes self-contained tokens only")
    assert "OSTIARY_API_KEY_FILE" in record.checks[-1].mend
    assert world.issuer.asked["/introspect"] == 0


@pytest.mark.parametrize("kind", [token_format.REFRESH_TOKEN, token_format.API_KEY, token_format.CLIENT_SECRET])
def test_other_secrets_of_the_issuer_are_no_access_tokens(world: World, kind: str) -> None:
    guard = world.guard(identity=True)
    assert failed_check(world.refusal(guard, bearer(token_format.generate(kind, "abcdef")))[1]) == "type"
    assert world.issuer.asked["/introspect"] == 0


def test_a_token_with_a_wrong_checksum_costs_no_question(world: World) -> None:
    token = active(world)
    altered = token[:-1] + ("0" if token[-1] != "0" else "1")
    assert failed_check(world.refusal(world.guard(identity=True), bearer(altered))[1]) == "format"
    assert world.issuer.asked["/introspect"] == 0


def test_an_answer_is_kept_five_seconds_and_no_longer(world: World) -> None:
    """standards 72, attack 33: the stated bound."""
    guard = world.guard(identity=True)
    token = active(world)
    guard.check_sync(bearer(token))
    world.issuer.answers[token] = {"active": False}
    world.clock.now += 4.9
    assert guard.check_sync(bearer(token))
    assert world.issuer.asked["/introspect"] == 1
    world.clock.now += 0.1
    assert failed_check(world.refusal(guard, bearer(token))[1]) == "introspection"


def test_an_answer_is_never_kept_beyond_the_end_of_the_token(world: World) -> None:
    """standards 72."""
    guard = world.guard(identity=True, introspection_ttl=600)
    token = active(world, exp=int(world.clock.now) + 3)
    guard.check_sync(bearer(token))
    world.clock.now += 3
    guard.check_sync(bearer(token))  # within the leeway, but asked anew
    assert world.issuer.asked["/introspect"] == 2


def test_a_time_of_zero_asks_at_every_request(world: World) -> None:
    guard = world.guard(identity=True, introspection_ttl=0)
    token = active(world)
    guard.check_sync(bearer(token))
    guard.check_sync(bearer(token))
    assert world.issuer.asked["/introspect"] == 2


def test_fifty_requests_with_one_token_ask_once(world: World) -> None:
    guard = world.guard(identity=True)
    token = active(world)
    guard.check_sync(bearer(world.token()))
    world.issuer.hold.clear()
    with ThreadPoolExecutor(50) as threads:
        waiting = [threads.submit(guard.check_sync, bearer(token)) for _ in range(50)]
        time.sleep(0.1)
        world.issuer.hold.set()
        assert all(future.result() for future in waiting)
    assert world.issuer.asked["/introspect"] == 1


def test_the_event_loop_asks_once_too(world: World) -> None:
    async def many() -> None:
        guard = world.guard(identity=True)
        token = active(world)
        async with guard.lifespan():
            await asyncio.gather(*(guard.check(bearer(token)) for _ in range(50)))

    asyncio.run(many())
    assert world.issuer.asked["/introspect"] == 1


@pytest.mark.parametrize(
    "answer",
    [(500, {}, b""), (401, {}, b'{"error":"invalid_client"}'), (200, {}, b"{}"), (200, {}, b'{"active":"yes"}')],
)
def test_a_fault_of_the_issuer_is_503_and_is_not_kept(world: World, answer: tuple[int, dict[str, str], bytes]) -> None:
    guard = world.guard(identity=True)
    token = active(world)
    world.issuer.raw["/introspect"] = answer
    assert world.refusal(guard, bearer(token))[0].status == 503
    del world.issuer.raw["/introspect"]
    assert guard.check_sync(bearer(token))


def test_no_token_stays_in_memory(world: World) -> None:
    guard = world.guard(identity=True)
    token = active(world)
    guard.check_sync(bearer(token))
    world.issuer.forms.clear()
    # By its type and not by isinstance, which would wake objects that say what they are only when asked.
    held = [text for text in gc.get_objects() if issubclass(type(text), dict | list | tuple) and token in _texts(text)]
    assert [each for each in held if each is not world.issuer.answers] == []


def _texts(container: dict[object, object] | list[object] | tuple[object, ...]) -> list[str]:
    members = [*container, *container.values()] if isinstance(container, dict) else container
    return [member for member in members if type(member) is str]


def test_a_token_is_shown_to_no_issuer_but_its_own(world: World) -> None:
    from ostiary.resource_server import IssuerConfig
    from tests.resource_server.issuer_server import running_issuer

    with running_issuer() as second:
        guard = world.guard(
            issuer=[
                IssuerConfig(second.issuer, credential=second.credential(), installation="zzzzzz"),
                IssuerConfig(world.issuer.issuer, credential=world.issuer.credential(), installation="abcdef"),
            ]
        )
        assert guard.check_sync(bearer(active(world))).issuer == world.issuer.issuer
        assert second.asked["/introspect"] == 0
        other = token_format.generate(token_format.REFERENCE_ACCESS_TOKEN, "qqqqqq")
        assert world.refusal(guard, bearer(other))[0].status == 401
        assert second.asked["/introspect"] == 0


def test_the_answers_kept_are_bounded() -> None:
    cache: AnswerCache[int, str] = AnswerCache(3)
    for number in range(10):
        cache.add(number, "x", until=100)
        cache.get(7, 0)
    assert len(cache) == 3
    assert cache.get(7, 99.9) == "x"
    assert cache.get(7, 100) is None
