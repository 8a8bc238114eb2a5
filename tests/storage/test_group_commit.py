"""Group commit on SQLite: nothing is answered before it is durable, and a failed commit fails everyone in it."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from ostiary.errors import OAuthError, Unavailable
from ostiary.storage.connection import Conflict
from ostiary.storage.schema import ACCESS_TOKENS
from ostiary.storage.sqlite import SqliteStorage
from ostiary.storage.statements import insertion
from tests.contract.storage.examples import NOW, client, event, token

pytestmark = pytest.mark.anyio

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
print("free", flush=True)
sys.stdin.readline()
"""


class Tampered:
    """A connection whose COMMIT does what the test wants; everything else is real."""

    def __init__(self, real: sqlite3.Connection, commit: Callable[[sqlite3.Connection], Any]) -> None:
        self._real = real
        self._commit = commit

    def execute(self, sql: str, *values: Any) -> Any:
        return self._commit(self._real) if sql == "COMMIT" else self._real.execute(sql, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def tamper(storage: SqliteStorage, commit: Callable[[sqlite3.Connection], Any]) -> Callable[[], None]:
    group = storage._group
    assert group is not None
    real = group._connection
    group._connection = Tampered(real, commit)  # type: ignore[assignment]

    def mend() -> None:
        group._connection = real

    return mend


async def _write(storage: SqliteStorage, name: str) -> None:
    async with storage.write() as work:
        await work.tokens.add(token(name))
        await work.audit.append(event(name))


async def test_nobody_is_answered_before_the_commit_has_returned(database: Path) -> None:
    storage = SqliteStorage(database)
    await storage.open()
    begun, release = threading.Event(), threading.Event()

    def slow(real: sqlite3.Connection) -> Any:
        begun.set()
        release.wait(10)
        return real.execute("COMMIT")

    tamper(storage, slow)
    tasks = [asyncio.create_task(_write(storage, f"{number}")) for number in range(5)]
    await asyncio.to_thread(begun.wait, 10)
    # The loop runs on while the commit is under way, and later callers wait for the next one.
    late = asyncio.create_task(_write(storage, "late"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert [task.done() for task in (*tasks, late)] == [False] * 6
    release.set()
    await asyncio.gather(*tasks, late)
    await storage.close()


async def test_callers_of_one_moment_share_one_commit(database: Path) -> None:
    storage = SqliteStorage(database)
    await storage.open()
    commits: list[int] = []

    def count(real: sqlite3.Connection) -> Any:
        commits.append(1)
        return real.execute("COMMIT")

    tamper(storage, count)
    await asyncio.gather(*(_write(storage, f"{number}") for number in range(64)))
    await storage.close()
    assert len(commits) <= 2


async def test_a_failed_commit_fails_every_caller_and_gives_the_audit_numbers_back(database: Path) -> None:
    storage = SqliteStorage(database)
    await storage.open()
    await _write(storage, "before")

    def fail(real: sqlite3.Connection) -> Any:
        raise sqlite3.OperationalError("disk I/O error")

    async def refused() -> None:
        async with storage.write() as work:
            await work.audit.append(event("refusal"))
            raise OAuthError("invalid_client", "no")

    mend = tamper(storage, fail)
    callers = [*(_write(storage, f"{number}") for number in range(5)), refused()]
    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 6
    mend()
    await _write(storage, "after")
    async with storage.read() as work:
        assert [row.jti for row in await work.tokens.of_client("billing", now=NOW)] == ["after", "before"]
        assert sorted((row.number, row.target) for row in await work.audit.unsealed(9)) == [(1, "before"), (2, "after")]
    await storage.close()


async def test_a_full_disk_fails_closed_and_what_was_answered_stays(database: Path) -> None:
    storage = SqliteStorage(database)
    await storage.open()
    await _write(storage, "before")
    (pages,) = storage._writer.execute("PRAGMA page_count").fetchone()
    storage._writer.execute(f"PRAGMA max_page_count={pages + 20}")
    answered: set[str] = set()

    async def caller(number: int) -> None:
        await _write(storage, f"{number:04}" + "x" * 2000)
        answered.add(f"{number:04}" + "x" * 2000)

    outcomes = await asyncio.gather(*(caller(number) for number in range(100)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {Unavailable, type(None)}
    assert Unavailable in {type(outcome) for outcome in outcomes}
    storage._writer.execute("PRAGMA max_page_count=1000000")
    await _write(storage, "after")
    await storage.close()
    storage = SqliteStorage(database)
    await storage.open()
    async with storage.read() as work:
        kept = {row.jti for row in await work.tokens.of_client("billing", now=NOW, limit=1000)}
        assert kept == {"before", "after"} | answered
        numbers = [row.number for row in await work.audit.unsealed(1000)]
        assert sorted(numbers) == list(range(1, len(kept) + 1))
    await storage.close()


async def test_a_busy_database_refuses_closed_and_recovers(database: Path) -> None:
    storage = SqliteStorage(database, busy_timeout=0.05)
    await storage.open()
    await _write(storage, "before")
    holder = subprocess.Popen(  # noqa: ASYNC220 - before any load
        [sys.executable, "-c", HOLD, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder:
        assert holder.stdout.readline() == "held\n"
        outcomes = await asyncio.gather(*(_write(storage, f"{n}") for n in range(5)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 5
        assert "locked" in str(outcomes[0])
        # Readers and positions are not hindered by a writer.
        assert (await storage.positions()).registry == 0
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "free\n"
        await _write(storage, "after")
        holder.stdin.write("\n")
    async with storage.read() as work:
        assert [row.jti for row in await work.tokens.of_client("billing", now=NOW)] == ["after", "before"]
        assert [row.number for row in await work.audit.unsealed(9)] == [1, 2]
    await storage.close()


async def test_a_write_waits_for_another_process_within_its_patience(database: Path) -> None:
    storage = SqliteStorage(database, busy_timeout=10)
    await storage.open()
    holder = sqlite3.connect(database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(_write(storage, "patient"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    holder.execute("ROLLBACK")
    await waiting
    holder.close()
    await storage.close()


async def test_a_commit_of_the_same_process_is_seen_by_its_next_call(database: Path) -> None:
    storage = SqliteStorage(database)
    await storage.open()
    for number in range(1, 4):
        async with storage.write() as work:
            await work.clients.add(client(f"c{number}"))
        assert (await storage.positions()).registry == number
    await storage.close()


async def test_a_rollback_that_fails_gives_the_whole_batch_up(database: Path) -> None:
    """What is half undone must never be committed."""
    storage = SqliteStorage(database)
    await storage.open()
    group = storage._group
    assert group is not None
    real = group._connection

    class NoRollback(Tampered):
        def execute(self, sql: str, *values: Any) -> Any:
            if sql == "ROLLBACK TO good":
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *values)

    async def faulty() -> None:
        async with storage.write() as work:
            await work.tokens.add(token("half"))
            raise RuntimeError

    group._connection = NoRollback(real, lambda connection: connection.execute("COMMIT"))  # type: ignore[assignment]
    outcomes = await asyncio.gather(_write(storage, "a"), faulty(), _write(storage, "b"), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    group._connection = real
    await _write(storage, "after")
    async with storage.read() as work:
        assert [row.jti for row in await work.tokens.of_client("billing", now=NOW)] == ["after"]
        assert [row.number for row in await work.audit.unsealed(9)] == [1]
    await storage.close()


async def test_writes_are_synced_to_the_disk(database: Path) -> None:
    storage = SqliteStorage(database)
    await storage.open()
    assert storage._writer.execute("PRAGMA synchronous").fetchone() == (2,)
    assert storage._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    await storage.close()


async def test_the_hot_lookups_use_an_index(database: Path) -> None:
    """A replay mark, a token and a revocation are found without reading a table through."""
    from ostiary.storage import expiry, replay, revocations, tokens

    statements = [replay._MARK, tokens._BY_JTI, tokens._BY_DIGEST, tokens._OF_CLIENT]
    statements += [revocations._ENDS, revocations._KEY_ENDS, *(deletion for deletion, _ in expiry._DELETIONS)]
    with sqlite3.connect(database) as connection:
        for statement in statements:
            values = [1] * statement.sqlite.count("?")
            steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement.sqlite}", values)]
            scans = [step for step in steps if step.startswith("SCAN") and "CONSTANT ROW" not in step]
            assert [step for step in scans if step != "SCAN live"] == [], statement.sqlite


async def _fail(storage: SqliteStorage, name: str) -> None:
    with suppress(ZeroDivisionError):
        async with storage.write() as work:
            await work.tokens.add(token(name))
            await work.clients.add(client(name))
            await work.audit.append(event(name))
            raise ZeroDivisionError


async def _register(storage: SqliteStorage, name: str) -> int:
    async with storage.write() as work:
        await work.clients.add(client(name))
        return (await work.positions()).registry


async def test_whoever_ended_well_before_a_fault_of_the_same_batch_keeps_everything(database: Path) -> None:
    storage = SqliteStorage(database)
    await storage.open()
    before = (await storage.positions()).registry
    commits = _count_commits(storage)
    told = await asyncio.gather(
        _register(storage, "first"),
        _write(storage, "a"),
        _fail(storage, "lost-1"),
        _write(storage, "b"),
        _fail(storage, "lost-2"),
        _fail(storage, "lost-3"),
        _register(storage, "second"),
    )
    assert commits == [1]
    assert [told[0], told[6]] == [before + 1, before + 2]
    assert (await storage.positions()).registry == before + 2
    async with storage.read() as work:
        assert [row.client_id for row in await work.clients.list()] == ["first", "second"]
        assert [await work.tokens.by_jti(name) is not None for name in ("a", "b", "lost-1", "lost-2")] == [
            True,
            True,
            False,
            False,
        ]
        rows = await work.audit.query()
    assert [row.number for row in rows] == [1, 2]
    assert [row.tag for row in rows] == [event("a").tag] * 2
    await storage.close()


async def test_a_mark_made_before_a_fault_of_the_same_batch_stays_and_the_faulty_one_does_not(database: Path) -> None:
    storage = SqliteStorage(database)
    await storage.open()
    commits = _count_commits(storage)

    async def mark(name: str, *, fault: bool = False) -> bool:
        async with storage.write() as work:
            first = await work.replay.mark("client", name, expires_at=NOW + 60, now=NOW)
            if fault:
                raise RuntimeError(name)
            return first

    told = await asyncio.gather(
        mark("x"), mark("y", fault=True), mark("x"), mark("y"), mark("z", fault=True), return_exceptions=True
    )
    assert commits == [1]
    assert [told[0], told[2], told[3]] == [True, False, True]
    assert [await mark(name) for name in ("x", "y", "z")] == [False, False, True]
    await storage.close()


async def test_a_statement_for_several_rows_that_fails_at_a_later_row_is_undone_with_its_caller(database: Path) -> None:
    storage = SqliteStorage(database)
    await storage.open()

    async def half() -> None:
        async with storage.write() as work:
            rows = [structs.asdict(token(name)) for name in ("new", "a")]
            await work.tokens._connection.run_for_each(insertion(ACCESS_TOKENS), rows)  # type: ignore[attr-defined]

    told = await asyncio.gather(_write(storage, "a"), half(), _write(storage, "b"), return_exceptions=True)
    assert [type(answer) for answer in told] == [type(None), Conflict, type(None)]
    async with storage.read() as work:
        assert [await work.tokens.by_jti(name) is not None for name in ("a", "new", "b")] == [True, False, True]
    await storage.close()


async def test_a_batch_that_cannot_go_through_its_writes_again_is_given_up_whole(database: Path) -> None:
    storage = SqliteStorage(database)
    await storage.open()
    group = storage._group
    assert group is not None

    async def spoil() -> None:
        async with storage.write() as work:
            await work.tokens.add(token("spoilt"))
            group._written[0] = ("INSERT INTO no_such_table VALUES (1)", ())
            raise RuntimeError

    told = await asyncio.gather(_write(storage, "a"), spoil(), _write(storage, "b"), return_exceptions=True)
    assert [type(answer) for answer in told] == [Unavailable] * 3
    async with storage.read() as work:
        assert await work.audit.query() == []
    await _write(storage, "c")
    async with storage.read() as work:
        assert [row.number for row in await work.audit.query()] == [1]
    await storage.close()


def _count_commits(storage: SqliteStorage) -> list[int]:
    counted = [0]

    def commit(real: sqlite3.Connection) -> Any:
        counted[0] += 1
        return real.execute("COMMIT")

    tamper(storage, commit)
    return counted
