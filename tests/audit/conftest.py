"""The audit log that every test here starts from."""

from pathlib import Path

import pytest

from tests.audit.log import NOW, YOUNG, Log


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


@pytest.fixture
def sealed(log: Log) -> Log:
    """Ten rows in three segments (4, 4, 2), sealed and exported."""
    log.fill(10)
    assert log.seal() == 10
    return log


@pytest.fixture
def old(log: Log) -> Log:
    """Three old segments (4, 4, 2 rows) whose rows are dropped, and two young ones (4, 3)."""
    log.fill(10)
    log.seal()
    log.now = YOUNG
    log.fill(7)
    log.seal()
    log.drop(NOW + 1)
    log.seal()
    return log


@pytest.fixture
def folded(old: Log) -> Log:
    """The same, folded: segments 4 to 6 stand, the last with the event of the drop."""
    assert old.fold() == 3
    return old
