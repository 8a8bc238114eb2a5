"""The replay memory of a server that forks after it has loaded the application, as gunicorn does with ``preload``."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import select
import sqlite3
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from weakref import WeakSet

import pytest

from ostiary.replay import at_fork
from ostiary.replay.sqlite import SqliteReplayMemory

NOW = 1_800_000_000.0


def first(memory: SqliteReplayMemory, jti: str) -> bool:
    return memory.first_time_sync("billing", jti, expires_at=NOW + 60, now=NOW)


class Child:
    """A process forked from this one, which answers each jti that it is asked about."""

    def __init__(self, memory: SqliteReplayMemory) -> None:
        self._ours, theirs = multiprocessing.get_context("fork").Pipe()
        self._process = multiprocessing.get_context("fork").Process(target=_answer, args=(memory, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def first(self, jti: str) -> bool:
        self._ours.send(jti)
        assert self._ours.poll(20), "the child does not answer"
        answer = self._ours.recv()
        assert isinstance(answer, bool), answer
        return answer

    def stop(self) -> None:
        # A word, and not the end of the pipe, which children that were forked later hold open too.
        self._ours.send(None)
        self._process.join(20)
        assert self._process.exitcode == 0


def _answer(memory: SqliteReplayMemory, asked: Connection) -> None:
    while (jti := asked.recv()) is not None:
        try:
            asked.send(first(memory, jti))
        except Exception as error:
            asked.send(repr(error))


@pytest.fixture
def memory(tmp_path: Path) -> SqliteReplayMemory:
    return SqliteReplayMemory(tmp_path / "replay.db")


def test_every_process_knows_what_the_others_were_asked(memory: SqliteReplayMemory) -> None:
    assert first(memory, "before")
    children = [Child(memory), Child(memory)]
    assert [child.first("before") for child in children] == [False, False]
    assert [child.first("one") for child in children] == [True, False]
    assert not first(memory, "one")
    assert first(memory, "parent")
    assert not children[0].first("parent")
    for child in children:
        child.stop()


def test_a_childs_marks_outlive_the_end_of_its_parents_connection(memory: SqliteReplayMemory, tmp_path: Path) -> None:
    """With an inherited connection the parent's end deletes the log that the child writes to."""
    assert first(memory, "before")
    child = Child(memory)
    assert child.first("one")
    memory.close()
    assert child.first("two")
    other = SqliteReplayMemory(tmp_path / "replay.db")
    assert [first(other, jti) for jti in ("before", "one", "two")] == [False, False, False]
    child.stop()


def test_a_childs_end_leaves_the_parents_marks_whole(memory: SqliteReplayMemory, tmp_path: Path) -> None:
    assert first(memory, "before")
    child = Child(memory)
    assert not child.first("before")
    child.stop()
    assert first(memory, "after")
    assert not first(SqliteReplayMemory(tmp_path / "replay.db"), "after")
    with sqlite3.connect(tmp_path / "replay.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_fork_amid_questions_leaves_nobody_waiting(memory: SqliteReplayMemory) -> None:
    stop = threading.Event()
    faults: list[BaseException] = []

    def ask(stem: str) -> None:
        number = 0
        try:
            while not stop.is_set():
                assert first(memory, f"{stem}-{number}")
                number += 1
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=ask, args=(str(number),)) for number in range(3)]
    for thread in threads:
        thread.start()
    children = []
    try:
        for number in range(5):
            children.append(Child(memory))
            assert children[-1].first(f"child {number}")
    finally:
        stop.set()
    for thread in threads:
        thread.join(20)
    for child in children:
        child.stop()
    assert faults == []


def in_a_raw_fork(question: Callable[[], bool]) -> bytes:
    """What ``question`` is answered in a process forked behind Python's back, as a server written in C does."""
    reading, writing = os.pipe()
    pid = ctypes.PyDLL(None).fork()
    if pid == 0:
        try:
            os.write(writing, str(question()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], 10)
    answer = os.read(reading, 100) if ready else b"no answer"
    if not ready:
        os.kill(pid, 9)
    os.waitpid(pid, 0)
    os.close(reading)
    return answer


def closed(memory: SqliteReplayMemory) -> bool:
    memory.close()
    return True


def test_a_fork_that_python_was_not_told_of_is_noticed(memory: SqliteReplayMemory) -> None:
    """Or the child would wait for ever for what a thread of the parent holds."""
    assert first(memory, "before")
    with memory._lock:
        assert in_a_raw_fork(lambda: first(memory, "before")) == b"False"
    with memory._lock:
        assert in_a_raw_fork(lambda: closed(memory)) == b"True"
    assert first(memory, "after")


class _Telling(WeakSet[at_fork.Forked]):
    """Somebody wants to be told in the middle of a fork's way through those who are."""

    def __init__(self, memory: SqliteReplayMemory) -> None:
        super().__init__([memory])
        self.late: list[SqliteReplayMemory] = []
        self.thread = threading.Thread(target=lambda: self.late.append(SqliteReplayMemory("never-opened.db")))

    def __iter__(self) -> Iterator[at_fork.Forked]:
        for one in super().__iter__():
            if self.thread.ident is None:
                self.thread.start()
                self.thread.join(0.2)
            yield one


def test_a_memory_made_while_another_thread_forks_stops_neither_the_fork_nor_the_child(
    memory: SqliteReplayMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    telling = _Telling(memory)
    monkeypatch.setattr(at_fork, "_told", telling)
    let_go: list[SqliteReplayMemory] = []
    monkeypatch.setattr(SqliteReplayMemory, "before_fork", lambda one: let_go.append(one))
    monkeypatch.setattr(SqliteReplayMemory, "after_fork_in_parent", lambda _: None)
    monkeypatch.setattr(SqliteReplayMemory, "after_fork_in_child", lambda _: None)
    child = multiprocessing.get_context("fork").Process(target=SqliteReplayMemory, args=("never-opened.db",))
    child.start()
    child.join(20)
    telling.thread.join(20)
    assert (let_go, child.exitcode, len(telling.late)) == ([memory], 0, 1)
