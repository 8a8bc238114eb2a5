"""Workers that cannot start, a stop at an awkward moment, and what the audit log says of starts and stops."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import sys
import threading
import time
from pathlib import Path

import httpx2
import pytest

from tests.real.served import Served, descendants, is_running, wait_until_gone
from tests.real_parts.processes import Process

pytestmark = pytest.mark.real

_WORKERS_WITHOUT_SETTINGS = """
import sys
from pathlib import Path
from ostiary.serving.listeners import bind
from ostiary.serving.supervisor import Supervisor
sys.exit(Supervisor(Path("missing.toml"), bind("127.0.0.1", 0), [], bind("127.0.0.1", 0), 2).run())
"""


def test_workers_that_cannot_start_at_all_end_the_server(tmp_path: Path) -> None:
    with Process([sys.executable, "-c", _WORKERS_WITHOUT_SETTINGS], cwd=tmp_path) as process:
        assert process.wait(seconds=20) == 1
        assert "could not start" in process.output
        assert "missing.toml" in process.output
        assert "Traceback" not in process.output


def test_a_worker_that_cannot_start_again_is_tried_ever_more_seldom(tmp_path: Path) -> None:
    served = Served(tmp_path, workers=2)
    good = served.config.read_text()
    with served.run() as process:
        served.config.write_text("issuer = [broken")
        victim = next(pid for pid in descendants(process.pid) if "--role\0api" in _command_line(pid))
        os.kill(victim, signal.SIGKILL)
        deadline = time.monotonic() + 30.0
        while len(pauses := re.findall(r"another starts in ([\d.]+) s", process.output)) < 3:
            assert time.monotonic() < deadline, process.output
            served.token()  # the other worker is there
            time.sleep(0.1)
        assert pauses == ["0.5", "1.0", "2.0"]
        served.config.write_text(good)
        _wait_for_crew(process, 3)
        assert process.stop() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_request_that_waits_for_the_database_is_answered_before_the_end(tmp_path: Path, workers: int) -> None:
    served = Served(tmp_path, workers=workers)
    answers: list[httpx2.Response] = []
    with served.run() as process:
        served.token()
        other = sqlite3.connect(served.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        form = served.form()
        caller = threading.Thread(target=lambda: answers.append(served.ask("/token", form)))
        caller.start()
        time.sleep(0.7)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.7)
        process.send_signal(signal.SIGTERM)
        other.execute("ROLLBACK")
        other.close()
        assert process.wait(seconds=20) == 0, process.output
        caller.join()
    assert answers[0].status_code == 200, answers[0].text
    assert "Traceback" not in process.output


def test_a_stop_while_the_workers_are_starting_leaves_nobody_behind(tmp_path: Path) -> None:
    served = Served(tmp_path, workers=2)
    with served.start() as process:
        deadline = time.monotonic() + 20
        while not (below := descendants(process.pid)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert process.stop() == 0
        assert wait_until_gone(below) == []
        assert "Traceback" not in process.output


@pytest.mark.parametrize(("workers", "roles"), [(1, ["all"]), (2, ["api", "api", "management"])])
def test_starts_and_stops_stand_in_the_audit_log(tmp_path: Path, workers: int, roles: list[str]) -> None:
    served = Served(tmp_path, workers=workers)
    with served.run() as process:
        assert process.stop() == 0
    for tag in ("server:started", "server:stopped"):
        rows = json.loads(served.ostiary("audit", "list", "--tag", tag, "--format", "json"))
        assert sorted(row["target"] for row in rows) == roles
    assert "not sealed" not in served.ostiary("audit", "verify")


def _command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode()


def _wait_for_crew(process: Process, size: int) -> None:
    deadline = time.monotonic() + 20
    while len([pid for pid in descendants(process.pid) if is_running(pid)]) < size:
        assert time.monotonic() < deadline, process.output
        time.sleep(0.05)
