"""Answers of the authorization server, kept for a short, stated time in bounded memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from ostiary.resource_server.fork_safe import HeldAtFork

Key = TypeVar("Key")
Value = TypeVar("Value")


class AnswerCache(Generic[Key, Value]):
    """At most ``size`` answers, the least recently used makes room. Times in seconds of ``elapsed``; thread-safe."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[Key, tuple[float, Value]] = OrderedDict()
        self._lock = threading.Lock()
        self._held_at_fork = HeldAtFork(self._lock)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key, now: float) -> Value | None:
        """The answer under ``key`` if its time is not over."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            if entry[0] <= now:
                del self._entries[key]
                return None
            self._entries.move_to_end(key)
            return entry[1]

    def discard(self, ended: Callable[[Key, Value], bool]) -> None:
        """Forget every answer of which ``ended`` says so."""
        with self._lock:
            for key in [key for key, (_, value) in self._entries.items() if ended(key, value)]:
                del self._entries[key]

    def add(self, key: Key, value: Value, until: float) -> None:
        """Keep ``value`` before ``until``."""
        with self._lock:
            self._entries[key] = (until, value)
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)
