"""Requests per second, in short rounds that alternate between the servers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from statistics import median

from bench.contenders import INVOICES, ORDERS, Contender
from bench.figures import SHOWN, Figure, at_least, noise_of, paired_ratio
from bench.load import Order, Result
from bench.machine import SERVER_CORE
from ostiary.protocol.jwk import SigningKey

GOAL = 2.5
_MOST_A_SECOND, _MOST_IN_SHORT = (
    7000,
    3500.0,
)  # requests are signed before the clock starts, so a bound is needed before anything is known

MakeOrder = Callable[[Contender, float, int], Order]


@dataclass(slots=True)
class Rounds:
    """What one server did. rates: good answers a second; costs: microseconds of its CPU a request."""

    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    generator: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)

    def add(self, result: Result, cpu: float) -> None:
        """Count a round. cpu: seconds of the server."""
        self.rates.append(result.rate)
        self.costs.append(1e6 * cpu / result.answered)
        self.generator.append(result.cpu / result.seconds)
        self.p99.append(result.p99_ms)


def tokens(contender: Contender, seconds: float, count: int) -> Order:
    """Self-contained tokens."""
    return contender.order(ORDERS, seconds=seconds, count=count)


def reference_tokens(contender: Contender, seconds: float, count: int) -> Order:
    """Reference tokens."""
    return contender.order(INVOICES, seconds=seconds, count=count)


def introspections(contender: Contender, seconds: float, count: int) -> Order:
    """Introspections of reference tokens."""
    return contender.introspection(seconds=seconds, count=count)


KINDS: dict[str, MakeOrder] = {
    "tokens/s (ES256 in, ES256 out)": tokens,
    "reference tokens/s": reference_tokens,
    "introspections/s": introspections,
}


def alternate(
    contenders: Sequence[Contender], make: MakeOrder, *, rounds: int, seconds: float, settle: bool
) -> list[Rounds]:
    """``rounds`` of each server in turn (ABABAB), after a short one for warming up (not in the short form)."""
    done = [Rounds() for _ in contenders]
    most = [_MOST_A_SECOND * 1.0 for _ in contenders] if settle else [_MOST_IN_SHORT for _ in contenders]
    for number in range(0 if settle else 1, rounds + 1):
        for place, (contender, one) in enumerate(zip(contenders, done, strict=True)):
            length = seconds if number else min(0.7, seconds)
            result, cpu = contender.load(make(contender, length, int(most[place] * length)), settle=settle)
            if number == 0:
                most[place] = 1.7 * result.rate
            else:
                one.add(result, cpu)
    return done


def beside_peer(ours: Contender, peer: Contender, *, rounds: int, seconds: float, settle: bool) -> list[Figure]:
    """Each kind of request, beside the peer."""
    raw = f"; in ours, a raw ES256 verification and sign take {raw_signatures():.0f} us"
    return [
        figure
        for name, make in KINDS.items()
        for figure in beside(
            name,
            *alternate((ours, peer), make, rounds=rounds, seconds=seconds, settle=settle),
            goal=GOAL,
            remark=raw,
        )
    ]


def beside(name: str, mine: Rounds, other: Rounds, *, goal: float | None = None, remark: str = "") -> list[Figure]:
    """The rate and the CPU time of one, ours beside the peer's. remark: added to that on the CPU time."""
    ratio = paired_ratio(mine.rates, other.rates)
    cost = paired_ratio(other.costs, mine.costs)
    return [
        Figure(
            name,
            f"{median(mine.rates):,.0f}",
            f"oidc-provider {median(other.rates):,.0f}",
            ratio,
            noise_of(mine.rates, other.rates),
            "" if goal is None else f"at least {goal}x",
            SHOWN if goal is None else at_least(ratio, goal),
            f"p99 {median(mine.p99):.0f} ms beside {median(other.p99):.0f} ms; the generator used"
            f" {median(mine.generator):.0%} and {median(other.generator):.0%} of its core",
        ),
        Figure(
            f"{name.split('/', 1)[0]}: CPU for one",
            f"{median(mine.costs):.0f} us",
            f"oidc-provider {median(other.costs):.0f} us",
            cost,
            noise_of(mine.costs, other.costs),
            remark="all threads, and the sealing of the audit log; theirs over ours" + remark,
        ),
    ]


def one_and_two(one: Contender, two: Contender, *, rounds: int, seconds: float, settle: bool) -> Figure:
    """One worker beside two, neither pinned: on two cores the generator takes its part of the second worker's."""
    first, second = alternate((one, two), tokens, rounds=rounds, seconds=seconds, settle=settle)
    return Figure(
        "tokens/s with two workers",
        f"{median(second.rates):,.0f}",
        f"one worker {median(first.rates):,.0f}",
        paired_ratio(second.rates, first.rates),
        noise_of(first.rates, second.rates),
        remark=f"nothing pinned; the generator used {median(second.generator):.0%} of a core",
    )


@cache
def raw_signatures() -> float:
    """Microseconds of CPU for one bare ES256 verification and one bare signature, on the server's core."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {SERVER_CORE} & allowed or allowed)
    try:
        key, text, costs = SigningKey.generate("ES256"), b"x" * 400, []
        signature = key.sign(text)
        for _ in range(5):
            started = time.thread_time()
            for _ in range(200):
                key.verification_key.verify(text, signature)
                key.sign(text)
            costs.append((time.thread_time() - started) / 200)
        return 1e6 * median(costs)
    finally:
        os.sched_setaffinity(0, allowed)
