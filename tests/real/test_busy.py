"""A database that another process keeps busy: refused with 503 and nothing issued, and well again afterwards."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import httpx2
import pytest

from tests.real.served import Served

pytestmark = pytest.mark.real


def count_tokens(served: Served) -> int:
    connection = sqlite3.connect(f"file:{served.database}?mode=ro", uri=True)
    try:
        (count,) = connection.execute("SELECT count(*) FROM access_tokens").fetchone()
    finally:
        connection.close()
    return int(count)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_busy_database_refuses_and_issues_nothing_and_recovers(tmp_path: Path, workers: int) -> None:
    """standards 72"""
    served = Served(tmp_path, workers=workers)
    with served.run() as process:
        served.token()
        before = count_tokens(served)
        assertion = served.assertion()
        other = sqlite3.connect(served.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        response = served.ask("/token", served.form(assertion))
        waited = time.monotonic() - began
        assert response.status_code == 503, response.text
        assert int(response.headers["retry-after"]) >= 1
        assert response.json()["error"] == "temporarily_unavailable"
        assert 4.0 < waited < 8.0, "it waits its busy timeout, and not for ever"
        # Reading goes on meanwhile: others can still verify.
        with served.http() as http:
            assert http.get("/jwks").status_code == 200
        other.execute("ROLLBACK")
        other.close()
        assert count_tokens(served) == before
        # A fault is no refusal: the assertion was not used up.
        assert served.ask("/token", served.form(assertion)).status_code == 200
        assert count_tokens(served) == before + 1
        assert "Traceback" not in process.output


def test_more_requests_of_one_client_at_once_than_it_may_are_refused(tmp_path: Path) -> None:
    """standards 75"""
    served = Served(tmp_path, settings={"server": ["max_concurrency_per_client = 2"]})
    with served.run():
        served.token()
        other = sqlite3.connect(served.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        answers: list[httpx2.Response] = []
        forms = [served.form() for _ in range(6)]
        threads = [
            threading.Thread(target=lambda form=form: answers.append(served.ask("/token", form))) for form in forms
        ]
        for thread in threads:
            thread.start()
        time.sleep(1.0)  # all six have arrived and wait for the database
        other.execute("ROLLBACK")
        other.close()
        for thread in threads:
            thread.join()
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [200, 200, 429, 429, 429, 429]
        assert all(answer.headers["retry-after"] for answer in answers if answer.status_code == 429)
        served.token()
