"""Replay memory in one SQLite file, shared by the processes and threads of a host, durable (standard library alone).

Each mark is on the disk before it is answered. Callers who come while a commit runs share the next one: everyone puts
the mark into a queue and then waits for the lock, and who gets it works the whole queue off in one transaction.
From an event loop this is done in a thread, because the fsync would hold the loop for as long as the disk takes.

A server may fork after it has loaded the application ("preload"). A connection must not cross a fork: SQLite's locks
stay with the parent, but the child's copy of SQLite believes that it holds them, so that its next connection to the
file takes none, and the parent's end may delete the log that the child writes to. So the connection is closed before
each fork, and opened again on either side. https://www.sqlite.org/howtocorrupt.html section 2.6
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ostiary.errors import Unavailable
from ostiary.replay import at_fork
from ostiary.replay.buckets import COUNT, bucket_of, digest_of, live_buckets

_SCHEMA = """
CREATE TABLE IF NOT EXISTS seen (bucket INTEGER NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (bucket, digest))
WITHOUT ROWID
"""
_MARK = f"""
INSERT INTO seen (bucket, digest) SELECT ?1, ?2 WHERE NOT EXISTS (
    SELECT 1 FROM (VALUES {", ".join(f"(?{number + 3})" for number in range(COUNT))}) AS live
    CROSS JOIN seen AS mark WHERE mark.bucket = live.column1 AND mark.digest = ?2)
"""  # noqa: S608 - only the numbers of parameters are put in
_EXPIRE = """
DELETE FROM seen WHERE (bucket, digest) IN (SELECT bucket, digest FROM seen WHERE bucket < ? ORDER BY bucket LIMIT ?)
"""
_EXPIRY_BATCH = 1000
_left_alone: list[sqlite3.Connection | None] = []


class _Mark:
    """A question in the queue, and its answer."""

    __slots__ = ("bucket", "digest", "fault", "first", "now")

    def __init__(self, digest: bytes, bucket: int, now: float) -> None:
        self.digest = digest
        self.bucket = bucket
        self.now = now
        self.first: bool | None = None
        self.fault: Unavailable | None = None

    @property
    def answered(self) -> bool:
        return self.first is not None or self.fault is not None


class SqliteReplayMemory:
    """Shared by every process of the host that names the same file.

    path: made on first use, readable by its owner alone; busy_timeout: seconds to wait for another process.
    """

    def __init__(self, path: Path | str, *, busy_timeout: float = 2.0) -> None:
        self._path = Path(path)
        self._busy_timeout = busy_timeout
        self._start()
        at_fork.tell(self)

    def _start(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._queue: deque[_Mark] = deque()
        self._connection: sqlite3.Connection | None = None
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="ostiary-replay")

    async def first_time(self, issuer: str, jti: str, *, expires_at: float, now: float) -> bool:
        """See ``ReplayMemory``."""
        mark = self._asked(issuer, jti, expires_at, now)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, mark)

    def first_time_sync(self, issuer: str, jti: str, *, expires_at: float, now: float) -> bool:
        """See ``ReplayMemory``."""
        return self._answer(self._asked(issuer, jti, expires_at, now))

    def close(self) -> None:
        """Close the file; a later question opens it again."""
        self._be_of_this_process()
        with self._lock:
            self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _be_of_this_process(self) -> None:
        if self._process != os.getpid():
            # A fork that Python was not told of, in C. The connection is left as it is: closing it would touch the
            # parent's locks.
            _left_alone.append(self._connection)
            self._start()

    def _asked(self, issuer: str, jti: str, expires_at: float, now: float) -> _Mark:
        self._be_of_this_process()
        mark = _Mark(digest_of(issuer, jti), bucket_of(expires_at, now), now)
        self._queue.append(mark)
        return mark

    def _answer(self, mark: _Mark) -> bool:
        with self._lock:
            if not mark.answered:
                self._work_off()
        if mark.fault is not None:
            raise mark.fault
        return mark.first is True

    def _work_off(self) -> None:
        """Answer everything that is queued, in one transaction."""
        marks: list[_Mark] = []
        while self._queue:
            marks.append(self._queue.popleft())
        try:
            answers = self._commit(marks)
        except BaseException as error:
            self._give_up()
            for mark in marks:
                mark.fault = Unavailable("replay memory", str(error))
            if not isinstance(error, (sqlite3.Error, OSError)):
                raise
            return
        for mark, first in zip(marks, answers, strict=True):
            mark.first = first

    def _commit(self, marks: list[_Mark]) -> list[bool]:
        connection = self._connection or self._connect()
        connection.execute("BEGIN IMMEDIATE")
        answers = [
            connection.execute(_MARK, (mark.bucket, mark.digest, *live_buckets(mark.now))).rowcount == 1
            for mark in marks
        ]
        connection.execute(_EXPIRE, (min(mark.now for mark in marks), _EXPIRY_BATCH))
        connection.execute("COMMIT")
        return answers

    def _connect(self) -> sqlite3.Connection:
        # Made by us and not by SQLite, so that nobody else can read or write it from the first moment on.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(
            self._path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
        )
        try:
            _use_wal(connection, self._busy_timeout)
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _give_up(self) -> None:
        """After a fault nothing half-written stays: closing rolls back, and the next question connects anew."""
        self._disconnect()

    def before_fork(self) -> None:
        """Close the connection, and let nobody open another one until the fork is done."""
        self._lock.acquire()
        self._disconnect()

    def after_fork_in_parent(self) -> None:
        """Go on: the next question opens the file again."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Begin anew, without the parent's threads and their questions."""
        self._start()


def _use_wal(connection: sqlite3.Connection, busy_timeout: float) -> None:
    # SQLite does not wait by itself for this lock, so processes that start together would fail one another.
    deadline = time.monotonic() + busy_timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return
