"""Requests per second on one, two and three nodes of one installation on PostgreSQL, beside the peer in one run.

The load goes to the nodes' own ports. All three run all the time; the ones that are not asked do their housekeeping.
The peer is one process that keeps everything in memory and writes nothing; here every answer waits for the disk.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Final

from bench.contenders import Contender, installed, oidc_provider, started
from bench.figures import Figure, noise_of, paired_ratio
from bench.throughput import MakeOrder, Rounds, alternate, introspections, tokens
from tests.real_parts.postgres import PostgresServer

NODES: Final = 3
KINDS: Final[dict[str, MakeOrder]] = {"tokens/s": tokens, "introspections/s": introspections}


def figures(folder: Path, *, rounds: int, seconds: float, settle: bool) -> Iterator[Figure]:
    """Of each kind: each number of nodes beside the peer, and more of them beside one."""
    with ExitStack() as parts:
        database = parts.enter_context(PostgresServer(fsync=True)).fresh_database()
        nodes = parts.enter_context(running(folder, database))
        peer = parts.enter_context(oidc_provider(folder / "peer", pinned=False))
        groups = [replace(nodes[0], others=tuple(nodes[1:count])) for count in range(1, NODES + 1)]
        for kind, make in KINDS.items():
            *ours, theirs = alternate([*groups, peer], make, rounds=rounds, seconds=seconds, settle=settle)
            yield from _table(kind, ours, theirs)


@contextmanager
def running(folder: Path, database: str) -> Iterator[list[Contender]]:
    """The nodes, ready, all on one database; nothing is kept on one core."""
    keys = installed(folder / "node-1")
    with ExitStack() as nodes:
        for number in range(2, NODES + 1):
            shutil.copytree(folder / "node-1", folder / f"node-{number}")
        yield [
            nodes.enter_context(started(folder / f"node-{number}", keys, database=database, pinned=False))
            for number in range(1, NODES + 1)
        ]


def _table(kind: str, ours: Sequence[Rounds], theirs: Rounds) -> Iterator[Figure]:
    for count, mine in enumerate(ours, 1):
        yield _row(f"{kind} on {_named(count)}", mine, "oidc-provider", theirs)
    for count, mine in enumerate(ours[1:], 2):
        yield _row(f"{kind} on {_named(count)}, to one", mine, "1 node", ours[0])


def _row(name: str, mine: Rounds, other_name: str, other: Rounds) -> Figure:
    cores = f"{os.cpu_count()} cores for nodes, database (with fsync) and generator: more nodes add no processor"
    return Figure(
        name,
        f"{median(mine.rates):,.0f}",
        f"{other_name} {median(other.rates):,.0f}",
        paired_ratio(mine.rates, other.rates),
        noise_of(mine.rates, other.rates),
        remark=f"{cores}; p99 {median(mine.p99):.0f} ms beside {median(other.p99):.0f} ms; the nodes used"
        f" {median(mine.costs):.0f} us of CPU for one; the generator {median(mine.generator):.0%} of a core",
    )


def _named(count: int) -> str:
    return f"{count} node{'s' if count > 1 else ''} (PostgreSQL)"
