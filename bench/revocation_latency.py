"""From a revocation to the first refusal: by the feed, with 1, 10 and 1,000 followers; and by asking every time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

import msgspec

from bench.contenders import CHECKOUT, CLIENT, ORDERS, Contender
from bench.figures import Figure, at_most, noise_of
from bench.machine import GENERATOR_CORE, on_core
from bench.revoker import Order, Result

GOAL_MS: Final = 50.0
FOLLOWERS: Final = ((1, False), (10, False), (1000, True))
_BLOCKS: Final = 5


def figures(
    server: Contender, *, count: int, followers: Sequence[tuple[int, bool]], seconds: float
) -> Iterator[Figure]:
    """count: revocations for each number of followers; seconds: after so long it stops with those that it has."""
    asking = _run(server, "introspect", 1, light=False, count=max(count // 5, 10), seconds=seconds)
    beside = f"introspecting {_told(asking.spans)}"
    following: Result | None = None
    for number, light in followers:
        result = _run(server, "feed", number, light=light, count=count, seconds=seconds)
        following = following or result
        yield _latency(number, result, light=light, beside=beside if number == 1 else "")
    if following is not None:
        yield _calls(following, asking)
        yield _cost(following, asking)


def _run(server: Contender, how: str, followers: int, *, light: bool, count: int, seconds: float) -> Result:
    if server.follower is None:
        raise RuntimeError("this server knows no API that could follow")
    order = Order(
        port=server.port,
        issuer=server.issuer,
        client_id=CLIENT,
        key=msgspec.json.encode(server.client_key.private_jwk()).decode(),
        credential=server.follower.to_json().decode(),
        scope="orders:read",
        tokens=server.tokens(ORDERS, count if light else 2 * count),
        followers=followers,
        how=how,
        light=light,
        seconds=seconds,
    )
    command = [*on_core(GENERATOR_CORE), sys.executable, "-m", "bench.revoker"]
    done = subprocess.run(
        command, input=msgspec.json.encode(order), capture_output=True, cwd=CHECKOUT, timeout=seconds + 90, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the revoker failed: {done.stderr.decode()[-2000:]}")
    return msgspec.json.decode(done.stdout, type=Result)


def _latency(number: int, result: Result, *, light: bool, beside: str) -> Figure:
    spans = result.spans
    size = max(1, len(spans) // _BLOCKS)
    blocks = [median(spans[start : start + size]) for start in range(0, len(spans) - size + 1, size)]
    kind = "light, in one process" if light else "real guards"
    return Figure(
        f"revoke to refusal: {number:,} follower{'s' if number > 1 else ''}, the last of them",
        _told(spans),
        beside,
        None,
        noise_of(blocks),
        f"p99 at most {GOAL_MS:.0f} ms",
        at_most(1000 * at(spans, 0.99), GOAL_MS),
        f"{len(spans):,} revocations; {kind}",
    )


def _calls(following: Result, asking: Result) -> Figure:
    feed, introspection = (result.asked / result.decided for result in (following, asking))
    return Figure(
        "requests to the issuer for each request to an API",
        f"{feed:.2f}",
        f"introspecting {introspection:.2f}",
        goal="0",
        verdict=at_most(feed, 0),
        remark=f"{following.decided:,} tokens that were not seen before, while the feed is followed",
    )


def _cost(following: Result, asking: Result) -> Figure:
    feed, introspection = (result.deciding / result.decided for result in (following, asking))
    return Figure(
        "a fresh token while the feed is followed",
        f"{feed * 1e6:.0f} us",
        f"introspecting {introspection * 1e6:.0f} us",
        feed / introspection,
    )


def at(spans: Sequence[float], part: float) -> float:
    """The value below which ``part`` of them lie."""
    ordered = sorted(spans)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def _told(spans: Sequence[float]) -> str:
    p50, p99, most = (1000 * value for value in (at(spans, 0.5), at(spans, 0.99), max(spans)))
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {most:.1f} ms"
