"""Chores that an installation needs once, done by two nodes at the same time on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from ostiary.audit import tags
from ostiary.audit.export import HeadsFile
from ostiary.audit.folding import Folding
from ostiary.audit.retention import drop_older
from ostiary.audit.sealer import Sealer
from ostiary.audit.verify import verify
from ostiary.authorization_server.deliverer import Deliverer
from ostiary.authorization_server.signing_keys import SigningKeys
from ostiary.errors import Unavailable
from ostiary.key_management.file import FileKeyManagement
from ostiary.model.delivery import Delivery
from ostiary.model.event import AuditEvent
from ostiary.storage.postgres import PostgresStorage
from tests.authorization_server.key_world import KEK, ROTATE_AFTER, key_settings

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Clock:
    """One clock for all nodes, set by hand."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@dataclass
class Node:
    """What a node keeps house with; its own copy of the heads of the audit log is on its own disk."""

    storage: PostgresStorage
    keys: SigningKeys
    heads: HeadsFile
    clock: Clock

    def sealer(self) -> Sealer:
        return Sealer(self.storage, self.keys, self.heads.path, self.clock, rows_per_segment=5)

    def folding(self) -> Folding:
        return Folding(self.storage, self.keys, self.heads)

    async def write(self, count: int) -> None:
        for number in range(count):
            async with self.storage.write() as work:
                await work.audit.append(AuditEvent(tags.TOKEN_REFUSED, "refused", NOW * 1000 + number, target="t"))

    async def log_verifies(self) -> bool:
        return (await verify(self.storage, self.heads, clock=self.clock)).good


@pytest.fixture
async def nodes(migrated_postgres_url: str, tmp_path: Path, anyio_backend: str) -> AsyncIterator[tuple[Node, Node]]:
    clock = Clock()
    async with AsyncExitStack() as stack:

        async def node(name: str) -> Node:
            storage = PostgresStorage(migrated_postgres_url)
            await storage.open()
            stack.push_async_callback(storage.close)
            keys = SigningKeys(storage, FileKeyManagement(lambda: KEK), key_settings(), clock)
            (tmp_path / name).mkdir()
            return Node(storage, keys, HeadsFile(tmp_path / name / "heads"), clock)

        yield await node("first"), await node("second")


async def _at_once(*chores: Awaitable[object]) -> list[object]:
    """Every chore, side by side; one that found another at it and gave way is no failure."""
    done = await asyncio.gather(*chores, return_exceptions=True)
    for one in done:
        if isinstance(one, BaseException) and not isinstance(one, Unavailable):
            raise one
    return done


async def _events(node: Node, tag: str) -> int:
    async with node.storage.read() as work:
        return len(await work.audit.query(tag=tag, limit=1000))


async def test_two_nodes_that_make_the_first_keys_make_each_once(nodes: tuple[Node, Node]) -> None:
    first, second = nodes
    await _at_once(*(node.keys.ensure(("ES256",)) for node in nodes for _ in range(3)))
    async with first.storage.read() as work:
        states = Counter((key.use, key.state) for key in await work.signing_keys.list())
    assert states == {("token", "active"): 1, ("token", "published"): 1, ("audit", "active"): 1}
    await second.keys.ensure()
    assert first.keys.jwks() == second.keys.jwks()


async def test_two_nodes_that_keep_the_schedule_turn_each_key_once(nodes: tuple[Node, Node]) -> None:
    """And whatever one node signs, the other verifies, at every moment."""
    first, second = nodes
    await first.keys.ensure(("ES256",))
    for _ in range(3):
        first.clock.now += ROTATE_AFTER + 1
        await _at_once(*(node.keys.tick() for node in nodes for _ in range(2)))
        for node, other in ((first, second), (second, first)):
            await node.keys.refresh(await node.storage.positions())
            await other.keys.refresh(await other.storage.positions())
            assert other.keys.verification_key(node.keys.current("ES256").kid) is not None
    async with first.storage.read() as work:
        keys = [key for key in await work.signing_keys.list("token") if key.state == "active"]
    assert len(keys) == 1
    # The first active one, and one for each turn; of the audit key too.
    assert await _events(first, tags.SIGNING_KEY_ACTIVATED) == 2 * (1 + 3)


async def test_two_nodes_seal_one_chain_and_each_has_all_of_its_heads(nodes: tuple[Node, Node]) -> None:
    first, second = nodes
    await first.keys.ensure(("ES256",))
    for _ in range(4):
        await _at_once(*(node.write(7) for node in nodes), *(node.sealer().seal_all() for node in nodes))
    for node in (*nodes, *nodes):
        await node.sealer().seal_all()
    async with first.storage.read() as work:
        assert await work.audit.unsealed(10) == []
    assert first.heads.path.read_bytes() == second.heads.path.read_bytes()
    assert [await node.log_verifies() for node in nodes] == [True, True]


async def test_two_nodes_drop_and_fold_old_rows_once(nodes: tuple[Node, Node]) -> None:
    first, second = nodes
    await first.keys.ensure(("ES256",))
    await first.write(40)
    for node in (*nodes, *nodes):
        await node.sealer().seal_all()
    first.clock.now += 1000
    now = int(first.clock.now)
    await _at_once(*(drop_older(node.storage, before=now, now=now, actor="server") for node in nodes for _ in range(3)))
    assert await _events(first, tags.AUDIT_DROPPED) == 1
    await _at_once(*(node.folding().fold() for node in nodes))
    for node in (*nodes, *nodes):
        await node.folding().fold()
        await node.sealer().seal_all()
    assert [await node.log_verifies() for node in nodes] == [True, True]
    assert first.heads.path.read_bytes() == second.heads.path.read_bytes()


async def test_each_delivery_is_tried_by_one_of_two_nodes(nodes: tuple[Node, Node]) -> None:
    arrived: Counter[str] = Counter()

    async def handler(delivery: Delivery) -> None:
        await asyncio.sleep(0)
        arrived[delivery.delivery_id] += 1

    first, _ = nodes
    async with first.storage.write() as work:
        for number in range(20):
            await work.deliveries.add(Delivery(f"d{number}", "email", b"x", NOW, NOW + 1000))
    deliverers = [Deliverer(node.storage, {"email": handler}, node.clock) for node in nodes]
    await _at_once(*(one.run_once() for one in deliverers for _ in range(3)))
    while any([await one.run_once() for one in deliverers]):
        pass
    assert arrived == {f"d{number}": 1 for number in range(20)}


async def _expire(node: Node) -> int:
    deleted = 0
    while batch := await node.storage.expire(NOW + 100_000, batch=50):
        deleted += batch
    return deleted


async def test_old_rows_are_deleted_by_one_node_at_a_time_and_all_of_them(nodes: tuple[Node, Node]) -> None:
    first, second = nodes
    async with first.storage.write() as work:
        for number in range(500):
            assert await work.replay.mark("billing", f"{number}", expires_at=NOW + 60, now=NOW)
    async with first.storage.write() as work:
        assert await work.alone("expire")
        assert await second.storage.expire(NOW + 100_000) == 0
    deleted = await _at_once(*(_expire(node) for node in nodes for _ in range(3)))
    deleted.append(await _expire(second))
    assert sum(one for one in deleted if isinstance(one, int)) == 500


async def test_a_node_that_dies_at_a_chore_leaves_it_to_the_others(
    nodes: tuple[Node, Node], migrated_postgres_url: str
) -> None:
    first, second = nodes
    with psycopg.connect(migrated_postgres_url, autocommit=True) as operator:
        with pytest.raises(Unavailable):  # noqa: PT012 - the block is what is tested
            async with first.storage.write() as work:
                assert await work.alone("expire")
                async with second.storage.write() as other:
                    assert not await other.alone("expire")
                    assert await other.alone("another chore")
                operator.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database ="
                    " (SELECT oid FROM pg_database WHERE datname = current_database())"
                )
        async with second.storage.write() as work:
            assert await work.alone("expire")
