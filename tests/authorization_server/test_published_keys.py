"""Keys by reference: cached, renewed with restraint, kept through an outage, refused when the document is bad."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest

from ostiary.authorization_server.published_keys import (
    MAX_LIFE,
    MIN_LIFE,
    OUTAGE,
    RETRY_INTERVAL,
    UNKNOWN_KID_INTERVAL,
    PublishedKeys,
)
from ostiary.errors import Unavailable, VerificationError
from ostiary.fetching.guarded import Fetched, FetchRefused
from ostiary.model.client import Client
from ostiary.protocol.jwk import SigningKey, VerificationKey

URL = "https://shop.example.com/jwks"
ONE, TWO, THREE = (SigningKey.generate("ES256", kid=name) for name in ("one", "two", "three"))


def client(client_id: str = "shop", jwks_uri: str | None = URL) -> Client:
    scopes: dict[str, tuple[str, ...]] = {}
    grants = ("client_credentials",)
    return Client(
        client_id, "", "client", "active", "", "registered", "private_key_jwt", grants, scopes, None, jwks_uri, False,
        8, "gr", 0, 0,
    )  # fmt: skip


def jwks(*keys: SigningKey, further: Sequence[object] = ()) -> bytes:
    return json.dumps({"keys": [*(key.verification_key.public_jwk() for key in keys), *further]}).encode()


class Publisher:
    """A fetcher in memory: answers with what stands in ``now``, counts, and can be slow."""

    def __init__(self, body: bytes = b"", cache_control: str = "") -> None:
        self.answers: dict[str, Fetched | Exception] = {}
        self.fetched: list[str] = []
        self.slow: asyncio.Event | None = None
        if body:
            self.publish(body, cache_control)

    def publish(self, body: bytes, cache_control: str = "", status: int = 200, url: str = URL) -> None:
        self.answers[url] = Fetched(status, {"cache-control": cache_control} if cache_control else {}, body)

    async def fetch(self, url: str, *, purpose: str) -> Fetched:
        self.fetched.append(url)
        if self.slow is not None:
            await self.slow.wait()
        answer = self.answers[url]
        if isinstance(answer, Exception):
            raise answer
        return answer


class World:
    """One PublishedKeys under a clock set by hand."""

    def __init__(self, publisher: Publisher) -> None:
        self.now = 1_800_000_000.0
        self.publisher = publisher
        self.keys = PublishedKeys(publisher, lambda: self.now)

    def find(self, kid: str | None = None, of: Client | None = None) -> list[str]:
        return [key.kid for key in self.found(kid, of)]

    def found(self, kid: str | None = None, of: Client | None = None) -> list[VerificationKey]:
        return asyncio.run(self.keys.find(of or client(), kid))

    @property
    def fetches(self) -> int:
        return len(self.publisher.fetched)


def test_a_published_key_is_found_by_its_kid() -> None:
    world = World(Publisher(jwks(ONE, TWO)))
    assert world.found("two") == [TWO.verification_key]
    assert world.find(None) == ["one", "two"]


def test_a_client_without_a_jwks_uri_publishes_nothing() -> None:
    world = World(Publisher())
    assert world.find("one", client(jwks_uri=None)) == []
    assert world.fetches == 0


@pytest.mark.parametrize(
    ("cache_control", "life"),
    [
        ("max-age=600", 600),
        ("public, max-age=600", 600),
        ('max-age="600"', 600),
        ("max-age=1", MIN_LIFE),
        ("max-age=0", MIN_LIFE),
        ("no-store", MIN_LIFE),
        ("max-age=600, no-cache", MIN_LIFE),
        ("max-age=999999", MAX_LIFE),
        ("s-maxage=900", 300),
        ("max-age=x", 300),
        ("", 300),
    ],
)
def test_the_document_is_kept_as_long_as_it_says_within_bounds(cache_control: str, life: int) -> None:
    world = World(Publisher(jwks(ONE), cache_control))
    world.find("one")
    world.now += life - 1
    assert (world.find("one"), world.fetches) == (["one"], 1)
    world.now += 1
    assert (world.find("one"), world.fetches) == (["one"], 2)


def test_an_unknown_kid_fetches_again_at_most_once_a_minute() -> None:
    world = World(Publisher(jwks(ONE), "max-age=3600"))
    world.find("one")
    world.publisher.publish(jwks(ONE, TWO), "max-age=3600")
    world.now += UNKNOWN_KID_INTERVAL - 1
    assert (world.find("two"), world.fetches) == ([], 1)
    world.now += 1
    assert (world.find("two"), world.fetches) == (["two"], 2)
    for _ in range(100):
        assert world.find("three") == []
    assert world.fetches == 2


def test_a_known_kid_does_not_fetch_again() -> None:
    world = World(Publisher(jwks(ONE), "max-age=3600"))
    world.find("one")
    world.now += UNKNOWN_KID_INTERVAL
    world.find("one")
    assert world.fetches == 1


def test_a_key_that_is_no_longer_published_is_gone_with_the_next_fetch() -> None:
    world = World(Publisher(jwks(ONE, TWO), "max-age=60"))
    world.find("one")
    world.publisher.publish(jwks(TWO), "max-age=60")
    world.now += 60
    assert world.find("one") == []


def test_however_many_wait_one_fetches() -> None:
    async def run() -> tuple[list[list[VerificationKey]], int]:
        publisher = Publisher(jwks(ONE))
        publisher.slow = asyncio.Event()
        keys = PublishedKeys(publisher, lambda: 0.0)
        waiting = [asyncio.create_task(keys.find(client(), "one")) for _ in range(50)]
        await asyncio.sleep(0)
        waiting[0].cancel()  # one goes away; the others still get their answer
        publisher.slow.set()
        return await asyncio.gather(*waiting[1:]), len(publisher.fetched)

    answers, fetches = asyncio.run(run())
    assert answers == [[ONE.verification_key]] * 49
    assert fetches == 1


@pytest.mark.parametrize("fault", [Unavailable("fetching"), Fetched(503, {}, b""), Fetched(404, {}, b"")])
def test_keys_are_kept_through_an_outage_for_an_hour_and_not_longer(fault: Fetched | Exception) -> None:
    world = World(Publisher(jwks(ONE), "max-age=60"))
    world.find("one")
    world.publisher.answers[URL] = fault
    world.now += 60 + OUTAGE - 1
    assert world.find("one") == ["one"]
    world.now += 1
    with pytest.raises(Unavailable):
        world.find("one")


def test_an_outage_is_asked_about_only_now_and_then() -> None:
    world = World(Publisher())
    world.publisher.answers[URL] = Unavailable("fetching")
    for _ in range(20):
        with pytest.raises(Unavailable):
            world.find("one")
    assert world.fetches == 1
    world.publisher.publish(jwks(ONE))
    world.now += RETRY_INTERVAL
    assert world.find("one") == ["one"]


def test_the_end_of_an_outage_is_noticed() -> None:
    world = World(Publisher(jwks(ONE), "max-age=60"))
    world.find("one")
    world.publisher.answers[URL] = Unavailable("fetching")
    world.now += 60
    world.find("one")
    world.publisher.publish(jwks(TWO))
    world.now += RETRY_INTERVAL
    assert world.find("two") == ["two"]


@pytest.mark.parametrize(
    "document",
    [
        jwks(ONE, further=[TWO.private_jwk()]),
        jwks(ONE, further=[{"kty": "oct", "k": "AAAA"}]),
        jwks(ONE, further=[{**TWO.verification_key.public_jwk(), "kid": "one"}]),
        b"<html>",
        b"",
        b"[]",
    ],
)
def test_a_document_with_a_private_shared_or_double_key_is_refused_whole_and_at_once(document: bytes) -> None:
    """What was known before is forgotten too: the owner has disclosed a key, and this may be the one."""
    world = World(Publisher(jwks(ONE), "max-age=60"))
    world.find("one")
    world.publisher.publish(document)
    world.now += 60
    with pytest.raises(VerificationError) as refused:
        world.find("one")
    assert refused.value.check == "key"
    assert TWO.private_jwk()["d"] not in f"{refused.value} {refused.value.seen} {refused.value.mend}"


WEAK_RSA = {"kty": "RSA", "alg": "RS256", "kid": "weak", "e": "AQAB", "n": "w" * 171}


@pytest.mark.parametrize(
    "unusable",
    [
        WEAK_RSA,
        {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"},
        {**TWO.verification_key.public_jwk(), "use": "enc"},
        {**TWO.verification_key.public_jwk(), "alg": "ES512"},
        {"kty": "new"},
    ],
)
def test_a_weak_or_foreign_key_is_passed_over_and_the_others_are_taken(unusable: object) -> None:
    """standards 118."""
    world = World(Publisher(jwks(ONE, further=[unusable])))
    assert world.find(None) == ["one"]


def test_a_place_that_the_fetcher_refuses_refuses_the_client() -> None:
    world = World(Publisher())
    world.publisher.answers[URL] = FetchRefused("the address 127.0.0.1 is loopback", mend="publish elsewhere")
    with pytest.raises(VerificationError) as refused:
        world.find("one")
    assert (refused.value.check, refused.value.mend) == ("key", "publish elsewhere")
    assert "127.0.0.1" in refused.value.seen
    assert "127.0.0.1" not in refused.value.public


def test_publishing_anothers_key_neither_locks_it_out_nor_poses_as_it() -> None:
    """Lookup goes through the client: the thief finds the key for itself alone, the owner still finds its own."""
    world = World(Publisher(jwks(ONE)))
    elsewhere = "https://thief.example.com/jwks"
    world.publisher.publish(jwks(ONE, THREE), url=elsewhere)
    thief = client("thief", elsewhere)
    assert world.find("one", thief) == ["one"]
    assert world.find("three") == []
    assert world.find("one") == ["one"]


def test_what_was_found_is_noted_in_the_trace() -> None:
    noted: list[tuple[str, str, str]] = []
    world = World(Publisher(jwks(ONE, TWO)))
    asyncio.run(world.keys.find(client(), "one", note=lambda *note: noted.append(note)))
    assert noted == [("published_keys", "2 keys", URL)]
