"""``python -m bench``: measure, show the table, write it where asked; exits 0 when a goal is missed, and says so."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench import (
    certificates,
    footprint,
    mutual_tls,
    nodes,
    revocation_latency,
    revocations,
    sign_ins,
    size,
    table,
    throughput,
    verification,
)
from bench.contenders import Contender, oidc_provider, ostiary_serve
from bench.figures import Figure
from bench.machine import description
from tests.real_parts.node import node

SECTIONS = (
    "verification",
    "revocations",
    "revocation-latency",
    "certificates",
    "throughput",
    "users",
    "tls",
    "workers",
    "nodes",
    "guard",
    "start",
)
SIZE = "scale"
"""Takes long, and is measured only where it is named: ``make bench-scale``."""
QUICK_SECTIONS = (*(name for name in SECTIONS if name != "workers"), SIZE)
NOTES = (
    "Ostiary writes the used `jti`, the token and the audit row to SQLite with a full fsync before it answers, and"
    " seals the audit log meanwhile; oidc-provider keeps everything in memory.",
    "The server runs on one core, the generator of load on the other; requests are signed before the clock starts.",
    "Users, at both: a public client with PKCE, opaque access tokens, ID tokens by ES256, argon2id with 19 MiB and 2"
    " passes; a sign-in goes from the sent form to the code, each in a browser that the server has not seen before.",
)


@dataclass(frozen=True, slots=True)
class Scale:
    """How long a run takes: rounds of each kind, and seconds or counts within a round; followers: see their module.

    clients, live_tokens: of the large one of part ``scale``; asked: requests of each kind in a round of it.
    """

    rounds: int
    seconds: float
    verify_rounds: int
    verify_tokens: int
    start_rounds: int
    guard_requests: int
    revocations: int
    followers: tuple[tuple[int, bool], ...]
    settle: bool
    clients: int
    live_tokens: int
    asked: int
    parts: tuple[str, ...] = SECTIONS


FULL = Scale(
    rounds=5,
    seconds=2.5,
    verify_rounds=25,
    verify_tokens=400,
    start_rounds=3,
    guard_requests=2000,
    revocations=1000,
    followers=revocation_latency.FOLLOWERS,
    settle=True,
    clients=1_000_000,
    live_tokens=10_000_000,
    asked=600,
)
QUICK = Scale(
    rounds=1,
    seconds=0.3,
    verify_rounds=3,
    verify_tokens=50,
    start_rounds=1,
    guard_requests=50,
    revocations=20,
    followers=((1, False), (20, True)),
    settle=False,
    clients=1000,
    live_tokens=20_000,
    asked=60,
    parts=QUICK_SECTIONS,
)


def measure(scale: Scale, sections: Sequence[str]) -> Iterator[Figure]:
    """Each figure as soon as it is known."""
    with tempfile.TemporaryDirectory(prefix="ostiary-bench-") as name, ExitStack() as servers:
        folder = Path(name)
        if "verification" in sections:
            yield from verification.figures(rounds=scale.verify_rounds, tokens=scale.verify_tokens)
        if "revocations" in sections:
            yield from revocations.figures(rounds=scale.verify_rounds, tokens=scale.verify_tokens)
        if "revocation-latency" in sections:
            followed = servers.enter_context(ostiary_serve(folder / "followed"))
            yield from revocation_latency.figures(
                followed, count=scale.revocations, followers=scale.followers, seconds=60 * scale.seconds
            )
        servers.close()
        if "certificates" in sections:
            (folder / "ca").mkdir()
            yield from certificates.figures(folder / "ca", rounds=scale.verify_rounds, count=scale.verify_tokens)
        if "throughput" in sections:
            ours = servers.enter_context(ostiary_serve(folder / "one"))
            peer = servers.enter_context(oidc_provider(folder / "peer"))
            yield from throughput.beside_peer(
                ours, peer, rounds=scale.rounds, seconds=scale.seconds, settle=scale.settle
            )
            yield footprint.of_server(ours, peer)
        servers.close()
        if "users" in sections:
            ours = servers.enter_context(ostiary_serve(folder / "people", with_people=True))
            peer = servers.enter_context(oidc_provider(folder / "peer-people", with_people=True))
            yield from _users(ours, peer, scale)
        servers.close()
        if "tls" in sections:
            rounds = max(1, scale.rounds - 2)
            yield from mutual_tls.figures(
                servers.enter_context(mutual_tls.tls_server(folder / "tls")), rounds=rounds, seconds=scale.seconds
            )
        servers.close()
        if "workers" in sections:
            one = servers.enter_context(ostiary_serve(folder / "one-free", pinned=False))
            two = servers.enter_context(ostiary_serve(folder / "two-free", workers=2, pinned=False))
            yield throughput.one_and_two(
                one, two, rounds=max(1, scale.rounds - 1), seconds=scale.seconds, settle=scale.settle
            )
            yield footprint.of_server(two)
        servers.close()
        if "nodes" in sections:
            yield from nodes.figures(
                folder / "nodes", rounds=max(1, scale.rounds - 2), seconds=scale.seconds, settle=scale.settle
            )
        if "guard" in sections:
            yield footprint.of_guard(folder / "dev", rounds=scale.start_rounds, requests=scale.guard_requests)
        if "start" in sections:
            yield from footprint.start_times(folder / "start", rounds=scale.start_rounds)
        if SIZE in sections:
            yield from size.figures(
                folder, clients=scale.clients, tokens=scale.live_tokens, rounds=scale.rounds, count=scale.asked
            )


def _users(ours: Contender, peer: Contender, scale: Scale) -> Iterator[Figure]:
    sites = [sign_ins.Site(ours), sign_ins.Site(peer)]
    # Half of the time goes into codes and browsers that are made ready.
    rounds = max(1, scale.rounds - 2)
    yield from sign_ins.beside_peer(sites, rounds=rounds, seconds=scale.seconds, settle=scale.settle)
    for site in sites:
        yield sign_ins.while_hashing(site, rounds=rounds, seconds=min(2.0, scale.seconds))


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short form: shows that it works, measures little")
    parser.add_argument(
        "--only", action="append", choices=(*SECTIONS, SIZE), help="measure only this part (repeatable)"
    )
    parser.add_argument("--clients", type=int, metavar="N", help=f"with --only {SIZE}: how many clients")
    parser.add_argument("--tokens", type=int, metavar="M", help=f"with --only {SIZE}: how many live access tokens")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table as Markdown")
    arguments = parser.parse_args()
    machine, started, figures = description(node()), time.monotonic(), []
    print(machine, flush=True)
    scale = QUICK if arguments.quick else FULL
    clients, live_tokens = arguments.clients or scale.clients, arguments.tokens or scale.live_tokens
    scale = replace(scale, clients=clients, live_tokens=live_tokens)
    for figure in measure(scale, arguments.only or scale.parts):
        figures.append(figure)
        print(f"{time.monotonic() - started:6.1f} s  " + "  ".join(filter(None, table.cells(figure))), flush=True)
    print(f"\n{table.terminal(figures)}\n\n" + "\n".join(NOTES))
    if arguments.json:
        arguments.json.write_text(table.as_json(figures, machine, NOTES))
    if arguments.markdown:
        arguments.markdown.write_text(table.markdown(figures, machine, NOTES))


if __name__ == "__main__":
    main()
