"""One exchange however many wait for it: threads and event loops share the same flight.

The steps of an exchange are a generator without I/O that yields HttpRequest and is sent HttpResponse; the flight drives
it over the HTTP port. A waiter that is cancelled takes nobody down with it: the exchange runs in a task of its own.
A flight that cannot land any more, because its event loop has stopped or because it is another process's, is replaced.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Generator, Hashable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ostiary.errors import OstiaryError, Unavailable
from ostiary.resource_server.fork_safe import HeldAtFork
from ostiary.resource_server.http import HttpPort, HttpRequest, HttpResponse

Result = TypeVar("Result")
Steps = Generator[HttpRequest, HttpResponse, Result]
LONGEST_WAIT = 30.0


@dataclass(slots=True)
class _Flight(Generic[Result]):
    """An exchange under way. began: monotonic seconds; pid: a process forked meanwhile has the object, no more."""

    began: float
    pid: int = field(default_factory=os.getpid)
    outcome: Future[Result] = field(default_factory=Future)


class Flights(Generic[Result]):
    """The exchanges that are under way, by key."""

    def __init__(self, http: HttpPort, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._held_at_fork = HeldAtFork(self._lock)
        self._running: dict[Hashable, _Flight[Result]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def running(self, key: Hashable) -> bool:
        """Whether an exchange of that key is under way."""
        flight = self._running.get(key)
        return flight is not None and self._may_land(flight)

    async def run(self, key: Hashable, steps: Callable[[], Steps[Result]]) -> Result:
        """The outcome of ``steps``, begun here or already under way; ``steps`` is called by whoever begins."""
        flight, first = self._join(key)
        if first:
            task = asyncio.get_running_loop().create_task(self._fly(key, flight, steps))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                return await asyncio.shield(asyncio.wrap_future(flight.outcome))
        except TimeoutError:
            raise Unavailable("issuer", "no answer in time") from None

    def run_sync(self, key: Hashable, steps: Callable[[], Steps[Result]]) -> Result:
        """The same from a thread."""
        flight, first = self._join(key)
        if first:
            self._fly_sync(key, flight, steps)
        try:
            return flight.outcome.result(LONGEST_WAIT)
        except FutureTimeout:
            raise Unavailable("issuer", "no answer in time") from None

    def start(self, key: Hashable, steps: Callable[[], Steps[Result]]) -> None:
        """Begin in a background thread and do not wait; a failure is left to those who need the outcome."""
        flight, first = self._join(key)
        if not first:
            return
        try:
            threading.Thread(
                target=self._fly_sync, args=(key, flight, steps), name="ostiary-renewal", daemon=True
            ).start()
        except RuntimeError as error:  # no thread to be had: whoever needs the outcome flies on their own
            self._land(key, flight, error=error)

    def _join(self, key: Hashable) -> tuple[_Flight[Result], bool]:
        with self._lock:
            flight = self._running.get(key)
            if flight is not None and self._may_land(flight):
                return flight, False
            flight = self._running[key] = _Flight(self._monotonic())
            return flight, True

    def _may_land(self, flight: _Flight[Result]) -> bool:
        return flight.pid == os.getpid() and self._monotonic() - flight.began < LONGEST_WAIT

    async def _fly(self, key: Hashable, flight: _Flight[Result], steps: Callable[[], Steps[Result]]) -> None:
        try:
            result = await drive(steps(), self._http)
        except BaseException as error:
            self._land(key, flight, error=error)
            # Whoever waits has been told; a cancelled task still has to end as cancelled.
            if not isinstance(error, OstiaryError):
                raise
        else:
            self._land(key, flight, result)

    def _fly_sync(self, key: Hashable, flight: _Flight[Result], steps: Callable[[], Steps[Result]]) -> None:
        try:
            result = drive_sync(steps(), self._http)
        except BaseException as error:
            self._land(key, flight, error=error)
            if not isinstance(error, OstiaryError):
                raise
        else:
            self._land(key, flight, result)

    def _land(
        self,
        key: Hashable,
        flight: _Flight[Result],
        result: Result | None = None,
        error: BaseException | None = None,
    ) -> None:
        with self._lock:
            if self._running.get(key) is flight:
                del self._running[key]
        if error is None:
            flight.outcome.set_result(result)  # type: ignore[arg-type]
        elif isinstance(error, OstiaryError):
            flight.outcome.set_exception(error)
        else:
            flight.outcome.set_exception(Unavailable("issuer", type(error).__name__))


async def drive(steps: Steps[Result], http: HttpPort) -> Result:
    """Run the exchange over ``http`` on the running event loop."""
    try:
        request = next(steps)
        while True:
            try:
                response = await http.send(request)
            except Unavailable as error:
                request = steps.throw(error)
            else:
                request = steps.send(response)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


def drive_sync(steps: Steps[Result], http: HttpPort) -> Result:
    """Run the exchange over ``http`` in this thread."""
    try:
        request = next(steps)
        while True:
            try:
                response = http.send_sync(request)
            except Unavailable as error:
                request = steps.throw(error)
            else:
                request = steps.send(response)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
