"""The private CA beside the bare signature by its key: certificates issued, OCSP answers given, in one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from statistics import median
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bench.figures import Figure, noise_of, paired_ratio
from ostiary.certificate_authority import issuing
from tests.authorization_server.world import World
from tests.certificate_authority.asking import request
from tests.certificate_authority.authority import Ca, certificate_authority, new_key

AT_ONCE = 32
_TO_BE_SIGNED = b"x" * 700  # as long as a certificate


def figures(folder: Path, *, rounds: int, count: int) -> list[Figure]:
    """rounds: interleaved; count: of each in a round. Issued certificates are committed to SQLite with full fsync."""
    world = World(folder)
    try:
        ca = certificate_authority(world)
        document = request(ca, ca.issue())
        rates: dict[str, list[float]] = {name: [] for name in ("bare", "issue", "answer", "again")}
        for number in range(rounds + 1):
            measured = {
                "bare": _bare(ca, count),
                "issue": _issued(ca, count),
                "answer": _answered(ca, document, count),
                "again": _bare(ca, count),
            }
            if number:  # the first round warms everything up
                for name, rate in measured.items():
                    rates[name].append(rate)
    finally:
        world.close()
    return _told(rates)


def _bare(ca: Ca, count: int) -> float:
    key, algorithm = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256())
    started = time.perf_counter()
    for _ in range(count):
        key.sign(_TO_BE_SIGNED, algorithm)
    return count / (time.perf_counter() - started)


def _issued(ca: Ca, count: int) -> float:
    wanted = [ca.wanted(key=new_key()) for _ in range(count)]

    async def one(number: int) -> None:
        prepared = await issuing.prepare(ca.authorities, wanted[number], ca.world.clock())
        async with ca.world.storage.write() as work:
            await issuing.record(work, prepared, ca.act())

    return ca.world.run(_rate(one, count))


def _answered(ca: Ca, document: bytes, count: int) -> float:
    headers = {"content-type": "application/ocsp-request"}

    async def one(number: int) -> None:
        answer = await ca.world.call("POST", "/ca/ocsp", document, headers)
        if answer.headers["content-type"] != "application/ocsp-response":
            raise RuntimeError(answer.body)

    return ca.world.run(_rate(one, count))


async def _rate(act: Callable[[int], Coroutine[Any, Any, None]], count: int) -> float:
    started = time.perf_counter()
    for first in range(0, count, AT_ONCE):
        batch: list[Awaitable[None]] = [act(number) for number in range(first, min(first + AT_ONCE, count))]
        await asyncio.gather(*batch)
    return count / (time.perf_counter() - started)


def _told(rates: dict[str, list[float]]) -> list[Figure]:
    bare = rates["bare"]
    noise = noise_of([*bare], [*rates["again"]])
    beside = f"bare ES256 signature {median(bare):.0f}/s"
    remark = (
        f"the ratio is the share of the bare signing rate; bare against bare {paired_ratio(rates['again'], bare):.2f}x"
    )
    return [
        Figure(name, f"{median(rates[key]):.0f}/s", beside, paired_ratio(rates[key], bare), noise, remark=remark)
        for name, key in (
            ("certificates issued/s: signed, checked again, committed", "issue"),
            ("OCSP answers/s: the endpoint, without sockets", "answer"),
        )
    ]
