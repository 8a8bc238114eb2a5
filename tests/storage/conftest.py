"""A fresh, migrated SQLite file for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostiary.storage.migrate import upgrade


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "ostiary.db"
    upgrade(f"sqlite:///{path}")
    return path
