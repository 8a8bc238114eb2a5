"""SQLite finds what is asked for by an index: nothing reads what belongs to all others, but what is for all of them."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sqlite3
from collections.abc import Iterator

import pytest

import ostiary.storage
from ostiary.storage.migrate import upgrade
from ostiary.storage.statements import Statement

_WHOLE = re.compile(r"SCAN (?!CONSTANT|\d+ CONSTANT)(\w+)|SEARCH (\w+) .*\(tenant=\?\)$")

# Each of these is for all of a tenant, or for all that there are of something of which there are few.
FOR_ALL = {
    "acme._LIST_CREDENTIALS",
    "artifacts._CONSUME_ALL",
    "audit._LAST_SEGMENT",  # from the end, one row
    "audit._STRAYS",
    "audit._WRITERS",
    "certificates._LIST",
    "certificates._LIST_AUTHORITIES",
    "client_keys._IN_CERTIFICATES",
    "feed_readers._LIST",
    "grants._END_OF_ALL_USERS",
    "ledger.READ_COUNTERS",
    "ledger.TENANTS",
    "sessions._END_ALL",
    "signals._TAKING",
    "signing_keys._LIST",
}
# Each of these wants some of the rows of a tenant, and reads those alone however many there are: statement, index.
FOR_SOME = {
    "apis._STATIC": "apis_static",
    "client_keys._IN_CERTIFICATES": "client_keys_in_certificates",
    "clients._APPLICATIONS": "clients_with_login",
    "clients._STATIC": "clients_static",
    "grants._END_OF_ALL_USERS": "grants_of_users_by_client",
    "grants._END_OF_USERS": "grants_of_users_by_client",
}
# What they scan is made by themselves: the lines of a recursion, a bounded selection, a list of values.
OWN_RESULTS = {"anon_1", "family", "live", "parent_key", "subquery"}


def statements() -> Iterator[tuple[str, Statement]]:
    for module in pkgutil.iter_modules(ostiary.storage.__path__):
        if module.name != "migrations":
            loaded = importlib.import_module(f"ostiary.storage.{module.name}")
            for name, value in vars(loaded).items():
                if isinstance(value, Statement) and module.name not in ("alone", "node_clock", "sqlite"):
                    yield f"{module.name}.{name}", value


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """To a database as an upgrade leaves it."""
    path = tmp_path_factory.mktemp("plans") / "ostiary.db"
    upgrade(f"sqlite:///{path}")
    connection = sqlite3.connect(path)
    yield connection
    connection.close()


def plan(connection: sqlite3.Connection, statement: Statement) -> list[str]:
    asked = connection.execute(f"EXPLAIN QUERY PLAN {statement.sqlite}", [""] * statement.sqlite.count("?"))
    return [row[3] for row in asked]


@pytest.mark.parametrize("name", sorted({name for name, _ in statements()} - FOR_ALL - {"ledger._NOTIFY"}))
def test_a_statement_reads_by_more_than_its_tenant(connection: sqlite3.Connection, name: str) -> None:
    found = [_WHOLE.match(step) for step in plan(connection, dict(statements())[name])]
    read = {(match[1] or match[2]) for match in found if match is not None}
    assert read <= OWN_RESULTS, read


@pytest.mark.parametrize(("name", "index"), FOR_SOME.items(), ids=FOR_SOME)
def test_a_statement_for_some_rows_reads_by_the_index_of_those(
    connection: sqlite3.Connection, name: str, index: str
) -> None:
    (step,) = [step for step in plan(connection, dict(statements())[name]) if not step.startswith("USE TEMP")]
    assert f" {index} (" in step


@pytest.mark.parametrize("name", sorted(FOR_ALL))
def test_what_is_for_all_is_still_there(name: str) -> None:
    """The list above grows no old names."""
    assert name in dict(statements())


def test_the_log_is_asked_once_for_each_thing_that_may_have_ended_a_token(connection: sqlite3.Connection) -> None:
    looks = [step for step in plan(connection, dict(statements())["revocations._ENDS"]) if step.startswith("SEARCH")]
    assert len(looks) == 9
    assert all("INDEX revocations_by_value (tenant=? AND kind=? AND value=?" in step for step in looks)
