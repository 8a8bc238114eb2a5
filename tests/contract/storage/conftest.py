"""Every test of this suite runs on SQLite and on a real PostgreSQL, each time on a fresh, migrated database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from ostiary.storage.base import Storage
from ostiary.storage.open import storage_for
from tests.real_parts.migrated import put_migrated

OpenStorage = Callable[[], AbstractAsyncContextManager[Storage]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    put_migrated(tmp_path / "ostiary.db")
    return f"sqlite:///{tmp_path / 'ostiary.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def storage_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "migrated_postgres_url"))


@pytest.fixture
def open_storage(storage_url: str) -> OpenStorage:
    """Opens the database of this test; every call stands for one more process."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Storage]:
        storage = storage_for(storage_url)
        await storage.open()
        try:
            yield storage
        finally:
            await storage.close()

    return opened


@pytest.fixture
async def storage(open_storage: OpenStorage, anyio_backend: str) -> AsyncIterator[Storage]:
    async with open_storage() as storage:
        yield storage
