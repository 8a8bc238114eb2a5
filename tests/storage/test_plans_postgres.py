"""PostgreSQL too finds some rows of a large table by the index of those, whether or not it has statistics."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from ostiary.storage.migrate import upgrade
from tests.real_parts.postgres import PostgresServer
from tests.storage.test_plans import FOR_SOME, statements

_MANY = (
    "INSERT INTO clients (tenant, client_id, name, kind, state, owner, source, authentication_method, grant_types, "
    "scopes, may_register_keys, max_concurrency, grant_id, created_at, updated_at) SELECT 'default', 'c' || n, '', "
    "'client', 'active', '', 'registered', '', '[]', '{}', false, 8, 'g' || n, 1, 1 FROM generate_series(1, 20000) n",
    "INSERT INTO client_keys (tenant, thumbprint, client_id, kid, alg, jwk, source, state, owner, not_before, "
    "created_at) SELECT 'default', 't' || n, 'c' || n, 'k', 'ES256', '{}', 'registered', 'active', '', 1, 1 "
    "FROM generate_series(1, 20000) n",
    "INSERT INTO apis (tenant, identifier, name, state, source, owner, scopes, token_format, token_alg, token_life, "
    "created_at, updated_at) SELECT 'default', 'a' || n, '', 'active', 'registered', '', '{}', '', '', 600, 1, 1 "
    "FROM generate_series(1, 20000) n",
    "INSERT INTO grants (tenant, grant_id, client_id, subject, kind, created_at) SELECT 'default', 'g' || n, "
    "'c' || n, 'c' || n, 'client_credentials', 1 FROM generate_series(1, 20000) n",
)
_VALUES = {
    "tenant": "default",
    "of_tenant": "default",
    "after": "",
    "limit": 200,
    "of_client_id": "c7",
    "at": 1,
}


@pytest.fixture(scope="module", params=["without statistics", "with statistics"])
def crowded(request: pytest.FixtureRequest, postgres_server: PostgresServer) -> Iterator[psycopg.Connection]:
    """To a database with many clients, none of which is one that is asked for."""
    url = postgres_server.fresh_database()
    upgrade(url)
    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
        for statement in _MANY:
            connection.execute(statement.encode())
        if request.param == "with statistics":
            connection.execute("ANALYZE")
        yield connection
    postgres_server.drop_database(url)


@pytest.mark.parametrize(("name", "index"), FOR_SOME.items(), ids=FOR_SOME)
def test_a_statement_for_some_rows_reads_by_the_index_of_those(
    crowded: psycopg.Connection, name: str, index: str
) -> None:
    statement = dict(statements())[name]
    values = statement.postgresql_values(_VALUES)
    steps = [str(row[0]) for row in crowded.execute(f"EXPLAIN {statement.postgresql}".encode(), values)]
    assert any(f"{index} " in f"{step} " for step in steps), steps
    assert not any("Seq Scan" in step for step in steps), steps


def test_what_ends_a_token_is_looked_up_though_the_log_was_empty_when_it_was_planned(
    migrated_postgres_url: str,
) -> None:
    """A node keeps its statements, and may have prepared this one in its first second."""
    fill = (
        "INSERT INTO revocations (tenant, position, kind, value, at, expires_at, reason) "
        "SELECT 'default', n, 'jti', 'j' || n, 1, 2, '' FROM generate_series(1, 20000) n"
    )
    with psycopg.connect(migrated_postgres_url, autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
        connection.execute("SET plan_cache_mode = force_generic_plan")
        statement = dict(statements())["revocations._ENDS"]
        names = ("jti", "client_id", "subject", "grant_id", "session_id")
        keys = ("key_thumbprint", "certificate_thumbprint", "signing_kid")
        values = statement.postgresql_values({"tenant": "default", "rev": 1, **dict.fromkeys((*names, *keys), "x")})
        connection.execute(f"PREPARE ends AS {statement.postgresql}".encode())
        shown = ", ".join(f"'{value}'" for value in values)
        connection.execute(f"EXECUTE ends ({shown})".encode())
        connection.execute(fill.encode())
        plan = [
            str(row[0]) for row in connection.execute(f"EXPLAIN (ANALYZE, BUFFERS) EXECUTE ends ({shown})".encode())
        ]
    assert any("revocations_by_value" in step for step in plan), plan
    read = max(int(step.split("hit=")[1].split()[0]) for step in plan if "shared hit=" in step)
    assert read < 100, plan
