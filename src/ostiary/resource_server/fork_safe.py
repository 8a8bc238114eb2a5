"""Locks that a thread in the background may hold when the process forks: a child would wait for them for ever."""

from __future__ import annotations

import threading

from ostiary.replay import at_fork


class HeldAtFork:
    """Takes ``lock`` before a fork and gives it back on either side, as long as this object lives."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        at_fork.tell(self)

    def before_fork(self) -> None:
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        self._lock.release()

    def after_fork_in_child(self) -> None:
        self._lock.release()
