"""The replay memory of a host: shared by processes, durable, closed when it cannot be asked (standards 6 and 38)."""

from __future__ import annotations

import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ostiary.errors import Unavailable
from ostiary.replay.memory import ProcessReplayMemory
from ostiary.replay.sqlite import SqliteReplayMemory

NOW = 1_800_000_000.0

ASK = """
import sys
from ostiary.replay.sqlite import SqliteReplayMemory
memory = SqliteReplayMemory(sys.argv[1])
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    if memory.first_time_sync("billing", str(number), expires_at=1_800_000_060.0, now=1_800_000_000.0):
        print(number, flush=True)
"""


def _ask(path: Path, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ASK, str(path), str(count)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _first(memory: SqliteReplayMemory, jti: str, life: float = 60) -> bool:
    return memory.first_time_sync("billing", jti, expires_at=NOW + life, now=NOW)


def test_of_three_processes_that_start_together_one_wins_each_id(tmp_path: Path) -> None:
    askers = [_ask(tmp_path / "replay.db", 100) for _ in range(3)]
    for asker in askers:
        assert asker.stdin is not None
        asker.stdin.write("go\n")
        asker.stdin.flush()
    won = [int(line) for asker in askers for line in asker.communicate()[0].split()]
    assert sorted(won) == list(range(100))


def test_what_was_answered_survives_kill_9(tmp_path: Path) -> None:
    asker = _ask(tmp_path / "replay.db", 1_000_000)
    assert asker.stdin is not None
    assert asker.stdout is not None
    asker.stdin.write("go\n")
    asker.stdin.flush()
    answered = [asker.stdout.readline().strip() for _ in range(50)]
    asker.send_signal(signal.SIGKILL)
    # Not by communicate(), which would pass over what readline() has read ahead; the last line may be cut off.
    with asker:
        answered += [line.strip() for line in asker.stdout if line.endswith("\n")]
    memory = SqliteReplayMemory(tmp_path / "replay.db")
    assert [jti for jti in answered if _first(memory, jti)] == []


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    memory = SqliteReplayMemory(tmp_path / "replay.db")
    assert _first(memory, "j1")
    memory.close()
    assert not _first(SqliteReplayMemory(tmp_path / "replay.db"), "j1")
    assert not _first(memory, "j1")


def test_a_busy_file_refuses_and_recovers(tmp_path: Path) -> None:
    memory = SqliteReplayMemory(tmp_path / "replay.db", busy_timeout=0.05)
    assert _first(memory, "before")
    holder = sqlite3.connect(tmp_path / "replay.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        _first(memory, "during")
    holder.execute("ROLLBACK")
    holder.close()
    assert not _first(memory, "before")
    assert _first(memory, "during")


@pytest.mark.parametrize("what", ["no folder", "a folder", "no database"])
def test_a_file_that_cannot_be_used_refuses(tmp_path: Path, what: str) -> None:
    path = {"no folder": tmp_path / "none" / "replay.db", "a folder": tmp_path}.get(what, tmp_path / "replay.db")
    if what == "no database":
        path.write_bytes(b"text, and not a short one" * 100)
    memory = SqliteReplayMemory(path, busy_timeout=0.05)
    with pytest.raises(Unavailable):
        _first(memory, "j1")


def test_the_file_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    memory = SqliteReplayMemory(tmp_path / "replay.db")
    assert _first(memory, "j1")
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_a_flood_does_not_empty_the_memory(tmp_path: Path) -> None:
    """standards 38: a store that a flood cannot empty."""
    memory = SqliteReplayMemory(tmp_path / "replay.db")
    assert _first(memory, "victim")
    for number in range(300):
        assert _first(memory, f"{number}")
    assert not _first(memory, "victim")


def test_a_full_memory_of_one_process_refuses_and_forgets_nothing() -> None:
    """standards 38: fail closed."""
    memory = ProcessReplayMemory(capacity=3)
    for number in range(3):
        assert memory.first_time_sync("billing", f"{number}", expires_at=NOW + 60, now=NOW)
    with pytest.raises(Unavailable, match="full"):
        memory.first_time_sync("billing", "one too many", expires_at=NOW + 60, now=NOW)
    assert not memory.first_time_sync("billing", "0", expires_at=NOW + 60, now=NOW + 59)
    assert memory.first_time_sync("billing", "afterwards", expires_at=NOW + 90, now=NOW + 61)
