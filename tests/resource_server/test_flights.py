"""One exchange for all who wait, and none that is waited for in vain."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ostiary.resource_server.flights import LONGEST_WAIT, Flights, Steps
from ostiary.resource_server.http import HttpRequest, HttpResponse

ANSWER = HttpResponse(200, b"")


class Port:
    """Answers from threads at once; from event loops never, as long as ``silent``."""

    def __init__(self) -> None:
        self.silent = True
        self.asked = 0

    async def send(self, _: HttpRequest) -> HttpResponse:
        self.asked += 1
        if self.silent:
            await asyncio.Event().wait()
        return ANSWER

    def send_sync(self, _: HttpRequest) -> HttpResponse:
        self.asked += 1
        return ANSWER


class Monotonic:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def steps() -> Steps[int]:
    return (yield HttpRequest("https://auth.example.com/jwks")).status


def abandoned(flights: Flights[int]) -> asyncio.AbstractEventLoop:
    """An event loop that stopped while its flight was under way, as a test's or a script's own loop may."""
    loop = asyncio.new_event_loop()

    async def begin() -> None:
        task = asyncio.ensure_future(flights.run("key", steps))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()

    loop.run_until_complete(begin())
    return loop


def finish(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_a_flight_whose_loop_has_stopped_is_replaced() -> None:
    port, monotonic = Port(), Monotonic()
    flights: Flights[int] = Flights(port, monotonic=monotonic)
    loop = abandoned(flights)
    assert flights.running("key")
    monotonic.now = LONGEST_WAIT
    assert not flights.running("key")
    assert flights.run_sync("key", steps) == 200
    assert port.asked == 2
    finish(loop)


def test_a_flight_of_the_parent_process_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    port = Port()
    flights: Flights[int] = Flights(port)
    loop = abandoned(flights)
    with monkeypatch.context() as child:
        child.setattr("ostiary.resource_server.flights.os.getpid", lambda: -1)
        assert flights.run_sync("key", steps) == 200
    assert port.asked == 2
    finish(loop)


def test_an_outdated_flight_that_lands_late_leaves_the_new_one_alone() -> None:
    port, monotonic = Port(), Monotonic()
    flights: Flights[int] = Flights(port, monotonic=monotonic)
    loop = abandoned(flights)
    monotonic.now = LONGEST_WAIT
    later = abandoned(flights)
    finish(loop)
    assert flights.running("key")
    finish(later)
    assert not flights.running("key")


def test_without_a_thread_to_be_had_the_next_caller_flies_on_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    flights: Flights[int] = Flights(Port())

    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as exhausted:
        exhausted.setattr(threading.Thread, "start", no_thread)
        flights.start("key", steps)
    assert not flights.running("key")
    assert flights.run_sync("key", steps) == 200
