"""The parts: two databases, a Valkey, three nodes, nginx before them, and APIs in processes of their own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import people
from chaos import door
from chaos.node import Node, beside
from tests.real.served import ORDERS, Served, wait_until_answered
from tests.real_parts.ports import free_port
from tests.real_parts.postgres import PostgresServer
from tests.real_parts.postgres_standby import PostgresStandby
from tests.real_parts.processes import Process
from tests.real_parts.tcp_proxy import TcpProxy
from tests.real_parts.valkey import ValkeyServer

ROOT = Path(__file__).resolve().parents[1]
NODES = 3
MAX_STALENESS = 10.0
"""Seconds: a third of the default, so that two minutes show what happens past it."""


@dataclass(slots=True)
class Api:
    """One process of the guarded API. feed: what its connections to the authorization server pass."""

    port: int
    feed: TcpProxy
    process: Process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/orders"


@dataclass(slots=True)
class Cluster:
    """primary, standby: the database servers, the second of which has each commit before it is answered.

    bell: by which the nodes wake one another's readers; front: nginx's port, where clients ask; database: the URL of
    the one that is the truth now.
    """

    primary: PostgresServer
    standby: PostgresStandby
    bell: ValkeyServer
    nodes: list[Node]
    apis: list[Api]
    front: int
    database: str

    @property
    def served(self) -> Served:
        """The installation, as its first node has it: issuer, keys, files."""
        return self.nodes[0].served

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.front}"

    def fail_over(self) -> None:
        """The primary dies; the standby takes over, and the database's name leads to it."""
        self.primary.crash()
        self.standby.promote()
        for node in self.nodes:
            node.database.target = self.standby.port
        self.database = self.standby.url(self.database.rpartition("/")[2])


@contextmanager
def running(folder: Path, *, apis: int = 2) -> Iterator[Cluster]:
    """Everything started and ready; whatever happens, nothing is left."""
    with ExitStack() as parts:
        primary = parts.enter_context(PostgresServer(fsync=True))
        name = primary.fresh_database().rpartition("/")[2]
        standby = parts.enter_context(PostgresStandby(primary, synchronous=True))
        bell = parts.enter_context(ValkeyServer())
        proxies = [parts.enter_context(TcpProxy(primary.port)) for _ in range(NODES)]
        urls = [f"postgresql://postgres@127.0.0.1:{proxy.port}/{name}" for proxy in proxies]
        nodes = _nodes(folder, proxies, urls, bell)
        asyncio.run(people.register(nodes[0].served.config))
        for node in nodes:
            parts.callback(node.stop)
            node.start(wait=False)
        for node in nodes:
            if node.process is not None:
                node.served.wait_until_ready(node.process, seconds=60.0)
        front = free_port()
        (folder / "nginx").mkdir()
        parts.enter_context(door.start(folder / "nginx", front, [node.served.port for node in nodes]))
        started = [_api(parts, nodes[0].served, front) for _ in range(apis)]
        yield Cluster(primary, standby, bell, nodes, started, front, primary.url(name))


def _nodes(folder: Path, proxies: list[TcpProxy], urls: list[str], bell: ValkeyServer) -> list[Node]:
    (folder / "node-1").mkdir()
    settings = {
        "storage": [f'url = "{urls[0]}"', f'wake_ups_url = "{bell.url}"'],
        "keys": ["publish_before = 1", "jwks_max_age = 1"],
    }
    first = Served(folder / "node-1", settings=settings)
    nodes = [Node("node 1", first, proxies[0])]
    for number in range(2, NODES + 1):
        url, proxy = urls[number - 1], proxies[number - 1]
        served = beside(
            first, folder / f"node-{number}", database=url, ports=(free_port(), free_port()), before=urls[0]
        )
        nodes.append(Node(f"node {number}", served, proxy))
    return nodes


def _api(parts: ExitStack, served: Served, front: int) -> Api:
    feed = parts.enter_context(TcpProxy(front))
    port = free_port()
    environment = {
        "OSTIARY_ISSUER": served.issuer,
        "OSTIARY_AUDIENCE": ORDERS,
        "OSTIARY_API_KEY_FILE": str(served.api_file),
        "OSTIARY_INTERNAL_URL": f"http://127.0.0.1:{feed.port}",
        "CHAOS_MAX_STALENESS": str(MAX_STALENESS),
    }
    command = [sys.executable, "-m", "uvicorn", "chaos.api:app", "--port", str(port), "--log-level", "warning"]
    process = parts.enter_context(Process(command, cwd=ROOT, environment=environment))
    wait_until_answered(process, f"http://127.0.0.1:{port}/healthz")
    return Api(port, feed, process)
