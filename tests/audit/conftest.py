"""The audit log that every test here starts from."""

from pathlib import Path

import pytest

from tests.audit.log import Log


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


@pytest.fixture
def sealed(log: Log) -> Log:
    """Ten rows in three segments (4, 4, 2), sealed and exported."""
    log.fill(10)
    assert log.seal() == 10
    return log
