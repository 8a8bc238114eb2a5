"""A fresh, migrated SQLite file for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real_parts.migrated import put_migrated


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "ostiary.db"
    put_migrated(path)
    return path
