"""The one thread of a process that speaks PKCS#11, with a bounded queue before it.

python-pkcs11 initializes a module by ``C_Initialize(NULL)``, and an application that does so promises that it "will not
be accessing the Cryptoki library from multiple threads simultaneously" (PKCS #11 3.1 section 5.4): SoftHSM then takes
no locks. So every call is made here, one after the other. A call into a token cannot be broken off; whoever waits for
it gives up after a time, and those behind a full queue at once.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, TypeVar

from ostiary.errors import Unavailable

PART: Final = "key token"
MAX_WAITING: Final = 64
RETRY_AFTER: Final = 30

T = TypeVar("T")


class TokenThread:
    """Started by its first call; a daemon, so that a token that hangs keeps no process from ending."""

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self._waiting: queue.Queue[Callable[[], None]] = queue.Queue(max_waiting)
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def call(self, work: Callable[[], T], within: float) -> T:
        """What ``work`` returns, waited for; within the thread it is done at once.

        within: seconds. Raises Unavailable: the queue is full, or it took longer; and what ``work`` raises.
        """
        if threading.current_thread() is self._thread:
            return work()
        future = self._submitted(work)
        try:
            return future.result(within)
        except TimeoutError:
            future.cancel()
            raise _slow(within) from None

    async def run(self, work: Callable[[], T], within: float) -> T:
        """The same without holding the event loop."""
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self._submitted(work)), within)
        except TimeoutError:
            raise _slow(within) from None

    def _submitted(self, work: Callable[[], T]) -> Future[T]:
        self._start()
        future: Future[T] = Future()
        try:
            self._waiting.put_nowait(partial(_do, future, work))
        except queue.Full:
            raise Unavailable(
                PART, f"{self._waiting.maxsize} calls wait for the token", retry_after=RETRY_AFTER
            ) from None
        return future

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="pkcs11", daemon=True)
                self._thread.start()

    def _loop(self) -> None:
        while True:
            self._waiting.get()()


def _do(future: Future[Any], work: Callable[[], Any]) -> None:
    # Whoever has given up is not worked for.
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)


def _slow(within: float) -> Unavailable:
    return Unavailable(PART, f"the token did not answer within {within:g} s", retry_after=RETRY_AFTER)
