"""Two nodes on one database, and the wake-ups of each, on every adapter."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from ostiary.revocation_feed.base import WakeUps
from ostiary.revocation_feed.memory import MemoryWakeUps
from ostiary.revocation_feed.open import wake_ups_for
from ostiary.settings import Settings
from ostiary.storage.base import Storage
from ostiary.storage.open import storage_for
from tests.contract.storage.conftest import (
    anyio_backend,
    sqlite_url,
)
from tests.contract.storage.examples import revocation

__all__ = ["anyio_backend", "sqlite_url"]


@dataclass(frozen=True)
class Node:
    """A node with its own connections to the shared database."""

    storage: Storage
    wake_ups: WakeUps

    async def revoke(self, value: str = "0001-a") -> None:
        """Commit a row of the log, as a node does; who has to hear of it hears of the commit itself."""
        async with self.storage.write() as work:
            await work.revocations.append(revocation("jti", value))


OpenNode = Callable[[], Awaitable[Node]]


@pytest.fixture(params=["memory", "sqlite", "postgres", "valkey"])
def adapter(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def open_node(request: pytest.FixtureRequest, adapter: str, anyio_backend: str) -> AsyncIterator[OpenNode]:
    url = str(request.getfixturevalue("migrated_postgres_url" if adapter in ("postgres", "valkey") else "sqlite_url"))
    valkey_url = str(request.getfixturevalue("valkey_url")) if adapter == "valkey" else None
    settings = Settings.model_validate(
        {"issuer": f"https://{uuid.uuid4()}.example", "storage": {"url": url, "wake_ups_url": valkey_url}}
    )
    alone = MemoryWakeUps()

    async with AsyncExitStack() as stack:

        async def opened() -> Node:
            storage = storage_for(url)
            await storage.open()
            stack.push_async_callback(storage.close)
            if adapter == "memory":
                # A process in which everything is in memory is alone, so its nodes are one.
                wake_ups: WakeUps = alone
                storage.after_revocation = alone.ring
            else:
                wake_ups = wake_ups_for(settings, storage)
            await wake_ups.open()
            stack.push_async_callback(wake_ups.close)
            return Node(storage, wake_ups)

        yield opened


@pytest.fixture
async def here(open_node: OpenNode) -> Node:
    return await open_node()


@pytest.fixture
async def elsewhere(open_node: OpenNode) -> Node:
    return await open_node()
