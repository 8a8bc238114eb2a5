"""Verification of access tokens while 100,000 revocations live, beside the same without any; and what a row costs."""

from __future__ import annotations

import time
import tracemalloc
from typing import Final

from bench.figures import Figure, at_most, noise_of, paired_ratio
from bench.verification import SCOPE, Batch, Contender, batch_of, guard_of, micro
from ostiary.protocol.jwk import SigningKey
from ostiary.protocol.revocation_feed import Kind, Row
from ostiary.resource_server import ResourceServer
from ostiary.resource_server.revocations import Revocations
from ostiary.resource_server.watch import Watch

LIVE: Final = 100_000
GOAL: Final = 1.05
ABOVE: Final = 1000
"""The position of the first row: above the ``rev`` of every token, so that none is spared its look-ups."""

_NAMED: Final[tuple[Kind, ...]] = ("client", "sub", "grant", "sid", "client_key")
_TIMES_SEEN: Final = 5


def figures(*, rounds: int, tokens: int) -> list[Figure]:
    """Two figures with a goal, one without. rounds: interleaved; tokens: fresh ones in each round."""
    key = SigningKey.generate("ES256")
    full, octets = _measured()
    guards = {"none": _watching(key, Revocations(10)), "many": _watching(key, full)}
    guards["none again"] = _watching(key, Revocations(10))
    fresh: dict[str, list[float]] = {name: [] for name in guards}
    seen: dict[str, list[float]] = {name: [] for name in guards}
    for number in range(rounds + 1):
        batch = batch_of(key, tokens, f"{number}-")
        for name, guard in guards.items():
            first, later = _spent(guard, batch, tokens)
            if number:  # the first round warms everything up
                fresh[name].append(first)
                seen[name].append(later)
    return [
        _beside("verify a fresh token", fresh),
        _beside("a token seen before", seen),
        Figure("memory of a live revocation", f"{octets:.0f} octets", f"{LIVE:,} rows, half of them of one token"),
    ]


def _measured() -> tuple[Revocations, float]:
    """100,000 rows as the feed would tell them, and the octets that each one costs."""
    tracemalloc.start()
    full, now = Revocations(10), int(time.time())
    for start in range(0, LIVE, 4096):
        rows = [_row(number, now) for number in range(start, min(start + 4096, LIVE))]
        full.add(rows, issued_at=now, instant=0)
    del rows
    octets = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return full, octets / LIVE


def _row(number: int, now: int) -> Row:
    if number % 2:
        return Row(ABOVE + number, "jti", f"revoked-{number:014d}", now + 600 + number % 3600)
    kind = _NAMED[number // 2 % len(_NAMED)]
    return Row(ABOVE + number, kind, f"{kind}-{number:014d}", now + 86_400)


def _watching(key: SigningKey, revocations: Revocations) -> ResourceServer:
    guard = guard_of(key)
    for issuer in guard.sources.watches:
        guard.sources.watches[issuer] = Watch(revocations.check, float("inf"))
    return guard


def _spent(guard: ResourceServer, batch: Batch, tokens: int) -> tuple[float, float]:
    """Seconds for each token at its first verification, and for each one after."""

    def check(number: int) -> None:
        guard.check_sync(batch.requests[number], [SCOPE])

    first = _cpu_seconds(check, tokens)
    return first / tokens, min(_cpu_seconds(check, tokens) for _ in range(_TIMES_SEEN)) / tokens


def _cpu_seconds(run: Contender, count: int) -> float:
    """Of this thread: a few percent are told apart from whatever else the machine does meanwhile."""
    started = time.thread_time()
    for number in range(count):
        run(number)
    return time.thread_time() - started


def _beside(name: str, times: dict[str, list[float]]) -> Figure:
    ratio, same = paired_ratio(times["many"], times["none"]), paired_ratio(times["none again"], times["none"])
    return Figure(
        f"{name}, {LIVE:,} live revocations",
        micro(times["many"]),
        f"without any {micro(times['none'])}",
        ratio,
        noise_of(times["none"], times["none again"]),
        f"at most {GOAL}x",
        at_most(ratio, GOAL),
        f"CPU time; none against none {same:.2f}x",
    )
