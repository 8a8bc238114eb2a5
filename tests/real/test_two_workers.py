"""Two workers are one server: one memory of what was seen, one set of numbers, one readiness."""

from __future__ import annotations

import threading
from pathlib import Path

import httpx2
import pytest

from tests.real.served import Served, wait_until_answered

pytestmark = pytest.mark.real


def test_an_assertion_sent_to_both_workers_at_once_gets_one_token(tmp_path: Path) -> None:
    """standards 6, attack 19"""
    served = Served(tmp_path, workers=2)
    with served.run():
        for _ in range(3):
            form = served.form()
            statuses: list[int] = []
            barrier = threading.Barrier(25)

            def ask(
                form: dict[str, str] = form,
                statuses: list[int] = statuses,
                barrier: threading.Barrier = barrier,
            ) -> None:
                with served.http() as http:
                    barrier.wait()
                    statuses.append(http.post("/token", data=form).status_code)

            threads = [threading.Thread(target=ask) for _ in range(25)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(statuses) == [200] + [401] * 24


def test_the_counters_of_all_workers_are_summed(tmp_path: Path) -> None:
    served = Served(tmp_path, workers=2)
    with served.run():
        for _ in range(20):
            served.token()
        shown = httpx2.get(f"{served.management}/metrics", trust_env=False).text
    lines = [line for line in shown.splitlines() if line.startswith("ostiary_token_issued_total{")]
    assert sum(float(line.rpartition(" ")[2]) for line in lines) == 20


def test_without_its_database_the_server_refuses_and_is_not_ready(tmp_path: Path) -> None:
    served = Served(tmp_path)
    with served.run() as process:
        served.token()
        _spoil(served.database)
        response = served.ask("/token", served.form())
        assert response.status_code == 503
        assert "access_token" not in response.text
        assert response.headers["retry-after"]
        wait_until_answered(process, f"{served.management}/readyz", status=503)


def test_a_database_file_that_is_gone_or_replaced_is_noticed(tmp_path: Path) -> None:
    """SQLite itself would go on writing into the file without a name, and the next start would know nothing of it."""
    served = Served(tmp_path)
    with served.run() as process:
        served.token()
        aside = served.database.rename(served.database.with_name("aside.db"))
        assert served.ask("/token", served.form()).status_code == 503
        served.database.write_bytes(aside.read_bytes())
        assert served.ask("/token", served.form()).status_code == 503
        wait_until_answered(process, f"{served.management}/readyz", status=503)
        aside.replace(served.database)
        served.token()


def _spoil(database: Path) -> None:
    """Overwrite every page of the file, as a broken disk would, under the running server."""
    for path in (database, database.with_name(database.name + "-wal")):
        with path.open("r+b") as file:
            size = path.stat().st_size
            file.write(b"\xff" * size)
