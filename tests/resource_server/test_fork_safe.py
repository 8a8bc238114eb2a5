"""A lock that another thread holds while the process forks is free in the child."""

from __future__ import annotations

import multiprocessing
import threading

from ostiary.resource_server.fork_safe import HeldAtFork


def _take(lock: threading.Lock, told: multiprocessing.connection.Connection) -> None:
    told.send(lock.acquire(timeout=10))


def test_a_child_never_waits_for_a_thread_that_it_does_not_have() -> None:
    lock, enough = threading.Lock(), threading.Event()
    held = HeldAtFork(lock)

    def work() -> None:
        while not enough.is_set():
            with lock:
                sum(range(2000))  # so that nearly every fork finds the lock taken

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(10):
            here, there = multiprocessing.Pipe()
            child = multiprocessing.get_context("fork").Process(target=_take, args=(lock, there))
            child.start()
            assert here.recv() is True
            child.join(30)
    finally:
        enough.set()
        thread.join(30)
    assert held
    assert lock.acquire(timeout=10)
