"""The buckets that bound what strangers can make the server write."""

from __future__ import annotations

import pytest

from ostiary.authorization_server.source_address import UNKNOWN, source
from ostiary.authorization_server.token_bucket import SourceBuckets, TokenBucket


class Monotonic:
    """Seconds since nothing in particular; stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_holds_a_minutes_worth_and_fills_evenly() -> None:
    clock = Monotonic()
    bucket = TokenBucket(6, clock)
    assert [bucket.take() for _ in range(8)] == [True] * 6 + [False] * 2
    clock.now += 9.9
    assert not bucket.take()
    clock.now += 0.2
    assert [bucket.take(), bucket.take()] == [True, False]


def test_a_bucket_never_holds_more_than_a_minutes_worth() -> None:
    clock = Monotonic()
    bucket = TokenBucket(6, clock)
    clock.now += 86_400
    assert sum(bucket.take() for _ in range(100)) == 6


def test_one_source_does_not_use_up_anothers_share() -> None:
    buckets = SourceBuckets(100, 2, Monotonic())
    assert [buckets.take("loud") for _ in range(4)] == [True, True, False, False]
    assert buckets.take("quiet")


def test_all_sources_together_have_a_bound() -> None:
    buckets = SourceBuckets(10, 5, Monotonic())
    assert sum(buckets.take(f"source {number}") for number in range(1000)) == 10


def test_a_source_that_is_over_its_bound_takes_nothing_from_the_total() -> None:
    buckets = SourceBuckets(3, 1, Monotonic())
    for _ in range(50):
        buckets.take("loud")
    assert [buckets.take("a"), buckets.take("b"), buckets.take("c")] == [True, True, False]


def test_a_source_that_the_total_refused_keeps_its_own_token() -> None:
    clock = Monotonic()
    buckets = SourceBuckets(2, 1, clock)
    assert [buckets.take("a"), buckets.take("b"), buckets.take("late")] == [True, True, False]
    clock.now += 30.0  # one token for all, half a one for each source
    assert buckets.take("late")


def test_the_memory_for_sources_is_bounded() -> None:
    buckets = SourceBuckets(5, 1, Monotonic(), max_sources=100)
    for number in range(10_000):
        buckets.take(f"source {number}")
    assert len(buckets) == 100


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", UNKNOWN),
        ("unix:", UNKNOWN),
    ],
)
def test_a_source_is_an_ipv4_address_or_the_64_of_an_ipv6_address(address: str, expected: str) -> None:
    assert source(address) == expected
