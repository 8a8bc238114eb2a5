"""What breaks, for how long, and what becomes of it: part by part, then several at once."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx2

from chaos.cluster import MAX_STALENESS, Cluster

CLOCK_OFF = 300.0


@dataclass(frozen=True, slots=True)
class Fault:
    """begin: break it; seconds: how long it stays so; end: mend it; then everybody has ``rest`` seconds.

    beside: the next ones come while this one lasts.
    """

    name: str
    begin: Callable[[Cluster], None]
    end: Callable[[Cluster], None]
    seconds: float
    rest: float = 2.0
    beside: bool = False


def play(cluster: Cluster, faults: Sequence[Fault], tell: Callable[[str], None]) -> None:
    """One after the other; those that last beside others are mended in their own time, and all at the end."""
    beside = []
    for fault in faults:
        tell(fault.name)
        fault.begin(cluster)
        if fault.beside:
            beside.append(threading.Timer(fault.seconds, fault.end, (cluster,)))
            beside[-1].start()
        else:
            time.sleep(fault.seconds)
            fault.end(cluster)
        time.sleep(fault.rest)
    for timer in beside:
        timer.join()


def killed(number: int, seconds: float) -> Fault:
    """``kill -9`` of a node; it is started again."""
    return Fault(
        f"node {number + 1} is killed",
        lambda cluster: cluster.nodes[number].kill(),
        lambda cluster: cluster.nodes[number].start(),
        seconds,
    )


def all_killed(seconds: float) -> Fault:
    """Every node at once."""

    def begin(cluster: Cluster) -> None:
        for node in cluster.nodes:
            node.kill()

    def end(cluster: Cluster) -> None:
        for node in cluster.nodes:
            node.start(wait=False)
        for node in cluster.nodes:
            if node.process is not None:
                node.served.wait_until_ready(node.process, seconds=60.0)

    return Fault("all nodes are killed at once", begin, end, seconds)


def paused(number: int, seconds: float, *, beside: bool = False) -> Fault:
    """A node stands still, connections open, and goes on later as if nothing had been."""
    return Fault(
        f"node {number + 1} stands still for {seconds:.0f} s",
        lambda cluster: cluster.nodes[number].pause(),
        lambda cluster: cluster.nodes[number].resume(),
        seconds,
        beside=beside,
    )


def wrong_clock(number: int, seconds: float) -> Fault:
    """The clock of a node jumps five minutes ahead, and later back."""
    return Fault(
        f"the clock of node {number + 1} is {CLOCK_OFF / 60:.0f} minutes ahead",
        lambda cluster: cluster.nodes[number].set_clock(CLOCK_OFF),
        lambda cluster: cluster.nodes[number].set_clock(0.0),
        seconds,
    )


def slow_database(seconds: float, delay: float = 0.03) -> Fault:
    """Each piece between each node and the database takes its time."""

    def begin(cluster: Cluster) -> None:
        for node in cluster.nodes:
            node.database.slow(delay)

    def end(cluster: Cluster) -> None:
        for node in cluster.nodes:
            node.database.fair()

    return Fault(f"the database is slow ({delay * 1000:.0f} ms more each way)", begin, end, seconds)


def cut_off(number: int, seconds: float) -> Fault:
    """Between one node and the database nothing passes, and nobody is told."""
    return Fault(
        f"node {number + 1} is cut off from the database",
        lambda cluster: cluster.nodes[number].database.silent(),
        lambda cluster: cluster.nodes[number].database.fair(),
        seconds,
    )


def database_gone(seconds: float) -> Fault:
    """The primary crashes, and recovers."""
    return Fault(
        "the database crashes, and comes back",
        lambda cluster: cluster.primary.crash(),
        lambda cluster: cluster.primary.start(),
        seconds,
    )


def failed_over() -> Fault:
    """The primary is lost for good; its synchronous standby takes over."""
    return Fault("the database fails over to its standby", lambda cluster: cluster.fail_over(), lambda _: None, 0.0)


def bell_gone(seconds: float) -> Fault:
    """Valkey is killed, and comes back empty: readers look for themselves meanwhile."""
    return Fault(
        "Valkey is killed, and comes back empty",
        lambda cluster: cluster.bell.crash(),
        lambda cluster: cluster.bell.start(),
        seconds,
    )


def bell_paused(seconds: float) -> Fault:
    """Valkey stands still, its connections open."""
    return Fault(
        f"Valkey stands still for {seconds:.0f} s",
        lambda cluster: cluster.bell.process.send_signal(signal.SIGSTOP),
        lambda cluster: cluster.bell.process.send_signal(signal.SIGCONT),
        seconds,
    )


def no_feed(seconds: float) -> Fault:
    """Between the first API and the authorization server nothing passes, until what it knows is too old."""

    def end(cluster: Cluster) -> None:
        status = _status_of_a_call(cluster)
        cluster.apis[0].feed.fair()
        if seconds > MAX_STALENESS and status != 503:
            raise RuntimeError(f"the API answered {status} with knowledge that is too old, and must refuse with 503")

    return Fault("the first API is cut off from the revocation feed", _silent_feed, end, seconds)


def _silent_feed(cluster: Cluster) -> None:
    cluster.apis[0].feed.silent()


def _status_of_a_call(cluster: Cluster) -> int:
    token = cluster.served.token()
    return httpx2.get(
        cluster.apis[0].url, headers={"Authorization": f"Bearer {token}"}, timeout=15.0, trust_env=False
    ).status_code


def two_minutes() -> list[Fault]:
    """Each fault of ``docs/operations.md``, some of them while a node stands still."""
    return [
        killed(0, 2.0),
        paused(1, 60.0, beside=True),
        slow_database(6.0),
        cut_off(0, 8.0),
        database_gone(2.0),
        bell_gone(3.0),
        no_feed(MAX_STALENESS + 5.0),
        wrong_clock(2, 8.0),
        failed_over(),
        all_killed(1.0),
        bell_paused(8.0),
        killed(2, 2.0),
        slow_database(6.0),
        cut_off(1, 6.0),
        paused(0, 8.0),
    ]


def short() -> list[Fault]:
    """Some of them, in less than half a minute."""
    return [killed(0, 0.5), wrong_clock(2, 2.0), cut_off(1, 2.0), failed_over(), paused(2, 2.0)]
