"""Used ids at an API: standards 6 and 38, on every adapter of the replay memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ostiary.replay.base import ReplayMemory
from ostiary.replay.memory import ProcessReplayMemory
from ostiary.replay.sqlite import SqliteReplayMemory
from tests.contract.replay.memories import stored_memory, valkey_memory

NOW = 1_800_000_000.5
LIVES = (0.5, 1, 60, 119.5, 120, 300, 360, 360.5, 600, 28_800, 86_400)

First = Callable[..., bool]


@pytest.fixture(params=["memory", "sqlite", "valkey", "storage on sqlite", "storage on postgres"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReplayMemory]:
    match request.param:
        case "memory":
            yield ProcessReplayMemory()
        case "sqlite":
            yield SqliteReplayMemory(tmp_path / "replay.db")
        case "valkey":
            yield valkey_memory(request.getfixturevalue("valkey_url"), now=NOW)
        case "storage on sqlite":
            with stored_memory(request.getfixturevalue("sqlite_url")) as stored:
                yield stored
        case _:
            with stored_memory(request.getfixturevalue("migrated_postgres_url")) as stored:
                yield stored


@pytest.fixture(params=["sync", "async"])
def first(request: pytest.FixtureRequest, memory: ReplayMemory) -> First:
    """Asks the memory, from a thread or from an event loop."""

    def ask(jti: str, life: float = 60, *, issuer: str = "billing", now: float = NOW) -> bool:
        if request.param == "sync":
            return memory.first_time_sync(issuer, jti, expires_at=now + life, now=now)
        return asyncio.run(memory.first_time(issuer, jti, expires_at=now + life, now=now))

    return ask


def test_an_id_is_new_once(first: First) -> None:
    """standards 6: refuse repeats."""
    assert [first("j1"), first("j1"), first("j2"), first("j1")] == [True, False, True, False]


def test_both_ways_to_ask_share_what_is_known(memory: ReplayMemory) -> None:
    assert memory.first_time_sync("billing", "j1", expires_at=NOW + 60, now=NOW)
    assert not asyncio.run(memory.first_time("billing", "j1", expires_at=NOW + 60, now=NOW))


def test_the_same_id_with_another_expiry_is_refused(memory: ReplayMemory) -> None:
    """standards 6: for every pair of lives."""
    for one in LIVES:
        for other in LIVES:
            jti = f"{one}-{other}"
            assert memory.first_time_sync("billing", jti, expires_at=NOW + one, now=NOW)
            assert not memory.first_time_sync("billing", jti, expires_at=NOW + other, now=NOW)


@pytest.mark.parametrize("life", LIVES)
def test_a_mark_lasts_until_its_expiry(memory: ReplayMemory, life: float) -> None:
    """standards 38: remembered for the whole acceptance window."""
    assert memory.first_time_sync("billing", "j1", expires_at=NOW + life, now=NOW)
    for part in (0.0, 0.5, 1.0):
        assert not memory.first_time_sync("billing", "j1", expires_at=NOW + 90, now=NOW + part * life)


def test_another_issuer_may_use_the_same_id(first: First) -> None:
    assert first("j1")
    assert first("j1", issuer="other")
    assert first("bj1", issuer="a")
    assert first("j1", issuer="ab")


@pytest.mark.parametrize("jti", ["", "\ud800", "\x00", "'; DROP TABLE seen; --", "x" * 100_000])
def test_any_text_is_an_id(first: First, jti: str) -> None:
    assert first(jti)
    assert not first(jti)


@pytest.mark.parametrize("life", [86_401, float("inf"), float("nan")])
def test_what_would_have_to_be_kept_for_more_than_a_day_is_refused(memory: ReplayMemory, life: float) -> None:
    with pytest.raises(ValueError, match="one day"):
        memory.first_time_sync("billing", "j1", expires_at=NOW + life, now=NOW)


def test_one_of_50_tasks_wins(memory: ReplayMemory) -> None:
    async def main() -> list[bool]:
        asked = (memory.first_time("billing", "j1", expires_at=NOW + 60, now=NOW) for _ in range(50))
        return await asyncio.gather(*asked)

    assert asyncio.run(main()).count(True) == 1


def test_one_of_8_threads_wins(memory: ReplayMemory) -> None:
    def ask(number: int) -> bool:
        return memory.first_time_sync("billing", f"{number // 8}", expires_at=NOW + 60, now=NOW)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(400))).count(True) == 50


def test_a_cancelled_question_harms_nobody(memory: ReplayMemory) -> None:
    async def main() -> list[bool | BaseException]:
        asked = [
            asyncio.create_task(memory.first_time("billing", f"{number}", expires_at=NOW + 60, now=NOW))
            for number in range(20)
        ]
        await asyncio.sleep(0)
        asked[0].cancel()
        asked[7].cancel()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return [answer for number, answer in enumerate(answers) if number not in (0, 7)]

    assert asyncio.run(main()) == [True] * 18


def test_what_has_ended_is_forgotten_in_time(tmp_path: Path) -> None:
    """The memory is bounded: a day later nothing of today is left."""
    import sqlite3

    kept, small = SqliteReplayMemory(tmp_path / "replay.db"), ProcessReplayMemory(capacity=500)
    for memory in (kept, small):
        for number in range(500):
            assert memory.first_time_sync("billing", f"{number}", expires_at=NOW + 60, now=NOW)
        assert memory.first_time_sync("billing", "later", expires_at=NOW + 999, now=NOW + 900)
    kept.close()
    with sqlite3.connect(tmp_path / "replay.db") as connection:
        assert connection.execute("SELECT count(*) FROM seen").fetchone() == (1,)
    assert len(small._seen) == 1
