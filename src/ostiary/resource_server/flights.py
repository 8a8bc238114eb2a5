"""One exchange however many wait for it: threads and event loops share the same flight.

The steps of an exchange are a generator without I/O that yields HttpRequest and is sent HttpResponse; the flight drives
it over the HTTP port. A waiter that is cancelled takes nobody down with it: the exchange runs in a task of its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator, Hashable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Generic, TypeVar

from ostiary.errors import OstiaryError, Unavailable
from ostiary.resource_server.http import HttpPort, HttpRequest, HttpResponse

Result = TypeVar("Result")
Steps = Generator[HttpRequest, HttpResponse, Result]
LONGEST_WAIT = 30.0


class Flights(Generic[Result]):
    """The exchanges that are under way, by key."""

    def __init__(self, http: HttpPort) -> None:
        self._http = http
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[Result]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def running(self, key: Hashable) -> bool:
        """Whether an exchange of that key is under way."""
        return key in self._running

    async def run(self, key: Hashable, steps: Callable[[], Steps[Result]]) -> Result:
        """The outcome of ``steps``, begun here or already under way; ``steps`` is called by whoever begins."""
        future, first = self._join(key)
        if first:
            task = asyncio.get_running_loop().create_task(self._fly(key, future, steps))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                return await asyncio.shield(asyncio.wrap_future(future))
        except TimeoutError:
            raise Unavailable("issuer", "no answer in time") from None

    def run_sync(self, key: Hashable, steps: Callable[[], Steps[Result]]) -> Result:
        """The same from a thread."""
        future, first = self._join(key)
        if first:
            self._fly_sync(key, future, steps)
        try:
            return future.result(LONGEST_WAIT)
        except FutureTimeout:
            raise Unavailable("issuer", "no answer in time") from None

    def start(self, key: Hashable, steps: Callable[[], Steps[Result]]) -> None:
        """Begin in a background thread and do not wait; a failure is left to those who need the outcome."""
        future, first = self._join(key)
        if first:
            threading.Thread(
                target=self._fly_sync, args=(key, future, steps), name="ostiary-renewal", daemon=True
            ).start()

    def _join(self, key: Hashable) -> tuple[Future[Result], bool]:
        with self._lock:
            future = self._running.get(key)
            if future is not None:
                return future, False
            future = self._running[key] = Future()
            return future, True

    async def _fly(self, key: Hashable, future: Future[Result], steps: Callable[[], Steps[Result]]) -> None:
        try:
            result = await drive(steps(), self._http)
        except BaseException as error:
            self._land(key, future, error=error)
            # Whoever waits has been told; a cancelled task still has to end as cancelled.
            if not isinstance(error, OstiaryError):
                raise
        else:
            self._land(key, future, result)

    def _fly_sync(self, key: Hashable, future: Future[Result], steps: Callable[[], Steps[Result]]) -> None:
        try:
            result = drive_sync(steps(), self._http)
        except BaseException as error:
            self._land(key, future, error=error)
            if not isinstance(error, OstiaryError):
                raise
        else:
            self._land(key, future, result)

    def _land(
        self, key: Hashable, future: Future[Result], result: Result | None = None, error: BaseException | None = None
    ) -> None:
        with self._lock:
            self._running.pop(key, None)
        if error is None:
            future.set_result(result)  # type: ignore[arg-type]
        elif isinstance(error, OstiaryError):
            future.set_exception(error)
        else:
            future.set_exception(Unavailable("issuer", type(error).__name__))


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
