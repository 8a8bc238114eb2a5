"""SQLite finds what a request needs by an index: no request reads what belongs to all others."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ostiary.storage import client_keys, clients, revocations, tokens
from ostiary.storage.migrate import upgrade
from ostiary.storage.statements import Statement


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (client_keys._OF_CLIENT, "INDEX client_keys_by_kid (tenant=? AND client_id=? AND kid>?)"),
        (clients._GET, "PRIMARY KEY (tenant=? AND client_id=?)"),
        (revocations._JTI_ENDS, "INDEX revocations_by_value (tenant=? AND kind=? AND value=?)"),
        (tokens._BY_DIGEST, "INDEX access_tokens_by_digest (tenant=? AND digest=?)"),
    ],
)
def test_sqlite_looks_into_the_index_of_what_is_asked_for(tmp_path: Path, statement: Statement, index: str) -> None:
    upgrade(f"sqlite:///{tmp_path}/ostiary.db")
    connection = sqlite3.connect(tmp_path / "ostiary.db")
    asked = connection.execute(f"EXPLAIN QUERY PLAN {statement.sqlite}", [""] * statement.sqlite.count("?"))
    plan = [row[3] for row in asked]
    connection.close()
    assert index in plan[0]


def test_sqlite_asks_the_index_once_for_each_thing_that_may_have_ended_a_token(tmp_path: Path) -> None:
    upgrade(f"sqlite:///{tmp_path}/ostiary.db")
    connection = sqlite3.connect(tmp_path / "ostiary.db")
    sql = revocations._ENDS.sqlite
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", [""] * sql.count("?"))]
    connection.close()
    looks = [step for step in plan if step.startswith("SEARCH")]
    assert len(looks) == 9
    assert all("INDEX revocations_by_value (tenant=? AND kind=? AND value=?" in step for step in looks)
