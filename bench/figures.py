"""A figure of the benchmark: what was wanted, what came out, the ratio, and the noise that it has to stand out from."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import median

MET, MISSED, SHOWN = "met", "missed", "-"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. measured: readable, with units. ratio: beside the other one, as ``goal`` says it.

    noise: the same against the same, in the same minutes, as a fraction; None where nothing was repeated.
    """

    name: str
    measured: str
    beside: str = ""
    ratio: float | None = None
    noise: float | None = None
    goal: str = ""
    verdict: str = SHOWN
    remark: str = ""


def at_least(value: float, goal: float) -> str:
    """The verdict where more is better."""
    return MET if value >= goal else MISSED


def at_most(value: float, goal: float) -> str:
    """The verdict where less is better."""
    return MET if value <= goal else MISSED


def noise_of(*series: list[float]) -> float | None:
    """How far neighbouring rounds of the same thing lie apart: the median of ``|after / before - 1|`` over all."""
    steps = [abs(after / before - 1) for rounds in series for before, after in pairwise(rounds)]
    return median(steps) if steps else None


def paired_ratio(ours: list[float], theirs: list[float]) -> float:
    """The median over the rounds of ours / theirs: what disturbs the machine for longer disturbs both of a round."""
    return median(mine / other for mine, other in zip(ours, theirs, strict=True))
