"""Any batch of callers leaves what the same callers leave one after the other, whatever ends each of them.

The model runs them in their order in plain Python; a fault and a caller that left count for nothing. Nothing that ended
well is lost, doubled or reordered: rows, first uses, positions, audit numbers.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostiary.errors import VerificationError
from ostiary.storage.base import UnitOfWork
from ostiary.storage.connection import Conflict
from ostiary.storage.migrate import upgrade
from ostiary.storage.sqlite import SqliteStorage
from tests.contract.storage.examples import NOW, client, event, revocation, token
from tests.storage.test_group_commit import tamper

ACTS = ("token", "mark x", "mark y", "register", "revoke", "event", "caught conflict", "conflict")
ENDS = ("well", "well", "refused", "fault", "cancelled inside", "cancelled at the commit", "cancelled in the queue")
KEPT = frozenset(("well", "refused", "cancelled at the commit"))

Callers = list[tuple[list[str], str]]
callers = st.lists(
    st.tuples(st.lists(st.sampled_from(ACTS), max_size=5), st.sampled_from(ENDS)), min_size=1, max_size=8
)


@dataclass
class Left:
    """What is there in the end, and what each caller was told. registry: its position at the end of each caller."""

    tokens: list[str] = field(default_factory=list)
    clients: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    told: dict[int, list[int | bool]] = field(default_factory=dict)


def modelled(batch: Callers) -> Left:
    left, marks, registry = Left(), set(), 0
    for place, (acts, end) in enumerate(batch):
        if end not in KEPT or "conflict" in acts:
            continue
        told: list[int | bool] = []
        for number, act in enumerate(acts):
            name = f"{place}-{number}"
            match act.split()[0]:
                case "token":
                    left.tokens.append(name)
                case "mark":
                    told.append(act not in marks)
                    marks.add(act)
                case "register":
                    left.clients.append(name)
                case "revoke":
                    left.revoked.append(name)
                case "event":
                    left.events.append(name)
        registry += "register" in acts
        left.told[place] = [*told, registry]
    return left


async def act_out(work: UnitOfWork, place: int, acts: list[str]) -> list[int | bool]:
    told: list[int | bool] = []
    for number, act in enumerate(acts):
        name = f"{place}-{number}"
        match act.split()[0]:
            case "token":
                await work.tokens.add(token(name))
            case "mark":
                told.append(await work.replay.mark("client", act, expires_at=NOW + 60, now=NOW))
            case "register":
                await work.clients.add(client(name))
            case "revoke":
                await work.revocations.append(revocation(value=name))
            case "event":
                await work.audit.append(event(name))
            case "conflict":
                await work.tokens.add(token("present"))
            case "caught":
                with pytest.raises(Conflict):
                    await work.tokens.add(token("present"))
    return [*told, (await work.positions()).registry]


async def call(storage: SqliteStorage, left: Left, place: int, acts: list[str], end: str) -> None:
    async with storage.write() as work:
        told = await act_out(work, place, acts)
        if end in KEPT:
            left.told[place] = told
        if end == "refused":
            raise VerificationError("check", "refused")
        if end == "fault":
            raise ZeroDivisionError
        if end == "cancelled inside":
            raise asyncio.CancelledError


async def acted(database: Path, batch: Callers) -> Left:
    storage, left = SqliteStorage(database), Left()
    await storage.open()
    async with storage.write() as work:
        await work.tokens.add(token("present"))
    before = await storage.positions()
    reached, goes_on = asyncio.Event(), threading.Event()
    loop, commits = asyncio.get_running_loop(), [0]

    def commit(real: sqlite3.Connection) -> Any:
        commits[0] += 1
        loop.call_soon_threadsafe(reached.set)
        assert goes_on.wait(10)
        return real.execute("COMMIT")

    tamper(storage, commit)
    tasks = [asyncio.create_task(call(storage, left, place, *one)) for place, one in enumerate(batch)]
    await asyncio.sleep(0)  # each of them queues
    cancel(tasks, batch, "cancelled in the queue")
    await reached.wait()
    cancel(tasks, batch, "cancelled at the commit")
    await asyncio.sleep(0)
    goes_on.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with storage.write():
        pass  # the batch has ended, though nobody may have waited for it
    assert commits[0] == 2, "all of them were in one batch"
    async with storage.read() as work:
        left.clients = [one.client_id for one in await work.clients.list()]
        rows = await work.revocations.since(before.revocation)
        found = await work.audit.query()
    await storage.close()
    assert [row.position for row in rows] == list(range(before.revocation + 1, before.revocation + 1 + len(rows)))
    assert [row.number for row in found] == list(range(1, len(found) + 1))
    left.revoked, left.events = [row.value for row in rows], [row.target for row in found]
    left.told = {place: [*told[:-1], int(told[-1]) - before.registry] for place, told in left.told.items()}
    with sqlite3.connect(database) as connection:
        named = connection.execute("SELECT jti FROM access_tokens WHERE jti <> 'present'").fetchall()
    left.tokens = [name for (name,) in named]
    return left


def cancel(tasks: list[asyncio.Task[None]], batch: Callers, wanted: str) -> None:
    for task, (_, end) in zip(tasks, batch, strict=True):
        if end == wanted:
            task.cancel()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("batches") / "template.db"
    upgrade(f"sqlite:///{path}")
    return path


@settings(max_examples=120, deadline=None)
@given(batch=callers)
def test_a_batch_leaves_what_its_callers_leave_one_after_the_other(template: Path, batch: Callers) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Path(shutil.copy(template, folder))
        left = asyncio.run(acted(database, batch))
    expected = modelled(batch)
    assert sorted(left.tokens) == sorted(expected.tokens)
    assert left.clients == sorted(expected.clients)
    assert (left.revoked, left.events) == (expected.revoked, expected.events)
    assert left.told == expected.told
