"""Statements that travel together: in their order, each with its answer, and none after the first that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
import trustme
from psycopg.conninfo import make_conninfo

from ostiary.storage.wire import Journal, Wire
from tests.real_parts.pgbouncer import PgBouncer
from tests.real_parts.postgres import PostgresServer

if TYPE_CHECKING:
    from ostiary.storage.connection import Row

pytestmark = pytest.mark.anyio
_TABLE: LiteralString = "CREATE TABLE kept (name text PRIMARY KEY, bits bytea, size bigint, good boolean)"
_INSERT = "INSERT INTO kept (name, bits, size, good) VALUES ($1::TEXT, $2::BYTEA, $3::BIGINT, $4::BOOLEAN)"
_ALL = "SELECT name, bits, size, good FROM kept ORDER BY name"


@pytest.fixture
async def raw(postgres_url: str) -> AsyncIterator[psycopg.AsyncConnection[Row]]:
    raw = await psycopg.AsyncConnection.connect(postgres_url, autocommit=True)
    await raw.execute(_TABLE)
    yield raw
    await raw.close()


@pytest.fixture
async def wire(raw: psycopg.AsyncConnection[Row]) -> AsyncIterator[Wire]:
    wire = Wire(raw)
    yield wire
    await wire.close()


async def _names(wire: Wire) -> list[str]:
    return [str(row[0]) for row in wire.rows(await wire.ask(_ALL))]


async def test_values_come_back_as_they_were(wire: Wire) -> None:
    rows = [("", b"", -1, False), ("a", None, None, None), ("ü\N{SNOWMAN}'%s$1", b"\0\xff", 2**62, True)]
    for _ in range(2):  # the second time by a prepared statement
        await wire.ask("DELETE FROM kept")
        for row in rows:
            wire.put(_INSERT, row)
        assert wire.rows(await wire.ask(_ALL)) == rows


async def test_what_is_put_is_sent_with_the_next_trip_and_in_its_order(raw: psycopg.AsyncConnection[Row]) -> None:
    journal = Journal()
    wire = Wire(raw, journal)
    for number in range(200):
        wire.put(_INSERT, (f"{number:03}", None, number, None))
    assert journal.trips == 0
    assert len(await _names(wire)) == 200
    assert journal.trips == 1


async def test_more_than_a_socket_takes_at_once_arrives(wire: Wire) -> None:
    await _send_more_than_a_socket_takes(wire)


async def test_more_than_a_socket_takes_at_once_arrives_over_tls(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    """The server of the tests speaks no TLS; a pooler before it does."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with PgBouncer(postgres_server, "session", authority=authority) as pooler:
        trusted = {"host": "localhost", "sslmode": "verify-full", "sslrootcert": str(tmp_path / "ca.pem")}
        url = make_conninfo(pooler.before(postgres_url), **trusted)
        raw = await psycopg.AsyncConnection.connect(url, autocommit=True)
        assert raw.pgconn.ssl_in_use
        await raw.execute(_TABLE)
        wire = Wire(raw)
        await _send_more_than_a_socket_takes(wire)
        await wire.close()


async def _send_more_than_a_socket_takes(wire: Wire) -> None:
    for number in range(16):
        wire.put(_INSERT, (f"{number:02}", b"x" * 300_000, None, None))
        wire.put(_ALL)
    assert [wire.rows(result) and len(wire.rows(result)) for result in (await wire.send())[1::2]] == [*range(1, 17)]


async def test_nothing_after_the_first_failure_happens_and_its_error_is_told(wire: Wire) -> None:
    await wire.ask("BEGIN")
    wire.put(_INSERT, ("a", None, None, None))
    wire.put(_INSERT, ("a", None, None, None))
    wire.put("SELECT 1 / 0")
    with pytest.raises(psycopg.errors.UniqueViolation):
        await wire.ask("COMMIT")
    assert wire.failed
    await wire.ask("ROLLBACK")
    assert await _names(wire) == []


async def test_a_statement_whose_preparation_failed_is_prepared_again(wire: Wire) -> None:
    missing = "SELECT name FROM later ORDER BY name"
    for _ in range(3):
        with pytest.raises(psycopg.errors.UndefinedTable):
            await wire.ask(missing)
    await wire.ask("CREATE TABLE later (name text)")
    for _ in range(3):
        assert wire.rows(await wire.ask(missing)) == []


async def test_a_preparation_that_was_skipped_after_a_failure_is_made_again(wire: Wire) -> None:
    await wire.ask(_ALL)
    wire.put("SELECT 1 / 0")
    with pytest.raises(psycopg.errors.DivisionByZero):
        await wire.ask(_ALL)
    assert await _names(wire) == []


async def test_what_is_prepared_for_a_table_that_was_changed_since_fails_once_and_not_for_ever(wire: Wire) -> None:
    """PostgreSQL refuses it on this connection as long as it is asked by that name."""
    for _ in range(3):
        await wire.ask(_ALL)
    await wire.ask("ALTER TABLE kept ALTER COLUMN size TYPE text")
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        await wire.ask(_ALL)
    assert await _names(wire) == []


async def test_what_was_discarded_is_prepared_again(wire: Wire) -> None:
    for _ in range(3):
        await wire.ask(_ALL)
    await wire.ask("DISCARD ALL")
    with pytest.raises(psycopg.errors.InvalidSqlStatementName):
        await wire.ask(_ALL)
    assert await _names(wire) == []


async def test_a_connection_on_which_a_part_of_a_trip_may_have_been_sent_is_given_up(wire: Wire) -> None:
    wire.put(_INSERT, ("a", None, None, None))
    wire.put("SELECT 1", [None] * 70_000)  # more than the protocol can count
    with pytest.raises(psycopg.Error):
        await wire.send()
    assert wire.lost


@pytest.mark.parametrize("value", ["a\0b", 1.5, object()])
async def test_what_no_column_keeps_is_refused_before_anything_is_sent(wire: Wire, value: object) -> None:
    with pytest.raises(psycopg.Error):
        wire.put(_INSERT, (value, None, None, None))
    assert wire.idle


async def test_whoever_stops_waiting_harms_nobody_else(wire: Wire) -> None:
    gone = asyncio.ensure_future(wire.ask("SELECT pg_sleep(0.05)"))
    await asyncio.sleep(0)
    other = asyncio.ensure_future(_names(wire))
    await asyncio.sleep(0)
    gone.cancel()
    assert await other == []
    assert gone.cancelled()


async def test_a_connection_that_ends_refuses_all_that_travel_and_all_that_come(wire: Wire, postgres_url: str) -> None:
    travelling = [asyncio.ensure_future(wire.ask("SELECT pg_sleep(60)")) for _ in range(3)]
    await asyncio.sleep(0)
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    outcomes = await asyncio.gather(*travelling, return_exceptions=True)
    assert all(isinstance(outcome, psycopg.OperationalError) for outcome in outcomes)
    assert wire.lost
    with pytest.raises(psycopg.OperationalError):
        await wire.ask("SELECT 1")


async def test_a_connection_that_ended_while_nobody_asked_is_seen(wire: Wire, postgres_url: str) -> None:
    assert wire.look()
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database()"
        admin.execute(f"{ended} AND pid <> pg_backend_pid()".encode())
    assert not wire.look()
