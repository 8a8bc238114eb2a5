"""``kill -9`` under load: what was answered is known, what was used stays used, and the audit chain verifies."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from ostiary.protocol import jws
from tests.real.loading import Answered, Callers
from tests.real.served import Served, descendants, wait_until_gone

pytestmark = pytest.mark.real

MOMENTS = (0.13, 0.71)  # seconds of load after the first answers


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("turn", [0, 1])
def test_what_was_answered_survives_kill_9(tmp_path: Path, workers: int, turn: int) -> None:
    served = Served(tmp_path, workers=workers)
    callers = Callers(served)
    with served.run() as process:
        callers.start()
        callers.wait_for(30)
        time.sleep(MOMENTS[turn])
        below = descendants(process.pid)
        for pid in (process.pid, *below):
            os.kill(pid, signal.SIGKILL)
        assert wait_until_gone(below) == []
    callers.end()
    _one_token_and_one_event_for_each_assertion(served, len(callers.answered))
    with served.run():
        _everything_is_known(served, callers.answered)
        _everything_stays_used(served, callers.answered)
        time.sleep(1.5)  # the rows of the dead writers are sealed within a second
        report = served.ostiary("audit", "verify")
    assert re.search(r"✓ \d+ rows", report), report


def test_the_death_of_a_worker_loses_nothing_and_another_takes_its_place(tmp_path: Path) -> None:
    served = Served(tmp_path, workers=2)
    callers = Callers(served)
    with served.run() as process:
        before = descendants(process.pid)
        callers.start()
        callers.wait_for(30)
        victim = _workers_of(before, "--role api")[0]
        os.kill(victim, signal.SIGKILL)
        already = len(callers.answered)
        callers.wait_for(already + 60)
        callers.end()
        deadline = time.monotonic() + 15
        while len(_workers_of(descendants(process.pid), "--role api")) < 2:
            assert time.monotonic() < deadline, "no worker took its place"
            time.sleep(0.05)
        assert victim not in descendants(process.pid)
        _everything_is_known(served, callers.answered)
        _everything_stays_used(served, callers.answered[-50:])


def _one_token_and_one_event_for_each_assertion(served: Served, answered: int) -> None:
    """What was cut off is there as a whole or not at all; nothing is there that was not asked for."""
    questions = (
        "SELECT count(*) FROM access_tokens",
        "SELECT count(*) FROM replay_marks",
        "SELECT count(*) FROM audit_events WHERE tag = 'token:issued'",
    )
    connection = sqlite3.connect(served.database)
    try:
        tokens, marks, events = (int(connection.execute(question).fetchone()[0]) for question in questions)
    finally:
        connection.close()
    assert tokens == marks == events
    assert answered <= tokens <= answered + Callers(served).count


def _everything_is_known(served: Served, answered: list[Answered]) -> None:
    assert len({jws.parse(one.token).claims()["jti"] for one in answered}) == len(answered)
    with served.http() as http:
        for one in answered:
            assert served.introspect(http, one.token)["active"] is True


def _everything_stays_used(served: Served, answered: list[Answered]) -> None:
    with served.http() as http:
        for one in answered:
            response = http.post("/token", data=served.form(one.assertion))
            assert response.status_code == 401, response.text
            assert response.json()["error"] == "invalid_client"


def _workers_of(pids: list[int], words: str) -> list[int]:
    return [pid for pid in pids if words in Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()]
