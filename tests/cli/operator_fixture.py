"""The operator as a fixture."""

from pathlib import Path

import pytest

from tests.cli.operator import Operator, installation
from tests.real_parts.migrated import put_migrated


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Operator:
    """In a new folder, which is the present one; the database is there, with nothing in it."""
    monkeypatch.chdir(tmp_path)
    for name in ("OSTIARY_CONFIG", "OSTIARY_ADMIN_URL", "OSTIARY_ADMIN_FILE"):
        monkeypatch.delenv(name, raising=False)
    installation(tmp_path)
    put_migrated(tmp_path / "ostiary.db")
    made = Operator(tmp_path, capsys)
    assert made.run("keys", "new-kek", "kek").code == 0
    return made
