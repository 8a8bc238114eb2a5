"""A stop under load loses no answer; the processes of an installation end together."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.real.loading import Callers
from tests.real.served import Served, descendants, wait_until_gone

pytestmark = pytest.mark.real


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stop_under_load_answers_whatever_was_sent(tmp_path: Path, workers: int) -> None:
    served = Served(tmp_path, workers=workers)
    callers = Callers(served)
    with served.run() as process:
        below = descendants(process.pid)
        callers.start()
        callers.wait_for(50)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        assert process.wait(seconds=30) == 0, process.output
        callers.end()
        assert wait_until_gone(below) == []
    assert callers.lost == []
    assert callers.refused == []
    assert "Traceback" not in process.output


def test_the_workers_end_with_their_supervisor(tmp_path: Path) -> None:
    served = Served(tmp_path, workers=2)
    with served.run() as process:
        below = descendants(process.pid)
        assert len(below) >= 3
        os.kill(process.pid, signal.SIGKILL)
        assert wait_until_gone(below) == []


def test_what_was_only_counted_is_in_the_audit_log_after_the_stop(tmp_path: Path) -> None:
    """Bad requests beyond the budget are summed up at the stop at the latest, and that event is sealed like all."""
    served = Served(tmp_path, settings={"audit": ["unauthenticated_refusals_per_minute = 2"]})
    with served.run() as process:
        with served.http() as http:
            answers = [http.post("/token", data={"a": "b"}) for _ in range(7)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(seconds=30) == 0, process.output
    assert {answer.status_code for answer in answers} == {401}
    listed = json.loads(served.ostiary("audit", "list", "--tag", "refusals:summarised", "--format", "json"))
    assert sum(int(event["details"]["check method"]) for event in listed) == 5
    assert all(event["segment"] for event in listed)
    assert "none unsealed" in served.ostiary("audit", "verify")
