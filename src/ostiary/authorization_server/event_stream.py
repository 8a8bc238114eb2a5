"""An answer that does not end by itself: server-sent events, as they come (WHATWG HTML section 9.2), over raw ASGI.

It is no request in flight: a stop does not wait for it, a reader that does not read is cut off, and one that has gone
is noticed by its connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from ostiary.authorization_server.http import Receive, Response, Scope, Send
from ostiary.tasks import end

CONNECTION = "ostiary.connection"
"""The ASGI extension under which a server offers the ``Connection`` of a request."""

PUSH = "ostiary.push"
"""The ASGI extension by which a server sends a piece of a body at once, or says that it has to wait: bytes -> bool."""

_DEAD_SECONDS = 20.0  # several heartbeats
_STOP_SECONDS = 1.0  # how long what waits may take to be sent after a stop was asked for

HEADERS = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    # nginx holds an answer back until a buffer is full, unless it is told not to.
    (b"x-accel-buffering", b"no"),
)


class Connection(Protocol):
    """What a stream needs of its connection beyond ASGI."""

    def on_stop(self, callback: Callable[[], None] | None) -> None:
        """Call back when the server is asked to stop, at once if it has been; None: no more."""
        ...

    def give_up_after(self, seconds: float) -> None:
        """End it when its peer has not acknowledged what was sent for so long: a machine that is off closes nothing."""
        ...

    def abort(self) -> None:
        """Close it now; what is not sent yet is lost."""
        ...


@dataclass(slots=True)
class EventStream(Response):
    """``body``, the first event, and ``events``, those that come after it.

    end: asks the events to end. too_slow: is set when the reader is to be cut off. life: seconds until it ends by
    itself. close: is called once it has ended, however it did, also if it never began. attach: is told of PUSH, by
    which events may be sent while ``events`` are waited for.
    """

    events: AsyncIterator[bytes]
    end: Callable[[], None]
    too_slow: asyncio.Event
    life: float
    close: Callable[[], None]
    attach: Callable[[Callable[[bytes], bool]], None]


async def send_events(scope: Scope, receive: Receive, send: Send, response: EventStream) -> None:
    """Answer with ``response`` until it ends, its reader has gone, or it has to be cut off."""
    extensions = scope.get("extensions") or {}
    connection: Connection | None = extensions.get(CONNECTION)
    if PUSH in extensions:
        response.attach(extensions[PUSH])
    loop = asyncio.get_running_loop()
    timers = [loop.call_later(response.life, response.end)]

    def stop() -> None:
        response.end()
        timers.append(loop.call_later(_STOP_SECONDS, response.too_slow.set))

    if connection is not None:
        connection.on_stop(stop)
        connection.give_up_after(_DEAD_SECONDS)
    sending = asyncio.create_task(_send_all(send, response))
    others = [asyncio.create_task(_gone(receive)), asyncio.create_task(response.too_slow.wait())]
    try:
        await asyncio.wait([sending, *others], return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            await sending  # a fault of the events is told on
        elif connection is not None and response.too_slow.is_set():
            connection.abort()
    finally:
        response.close()
        if connection is not None:
            connection.on_stop(None)
        for timer in timers:
            timer.cancel()
        await end([sending, *others])


async def _send_all(send: Send, response: EventStream) -> None:
    await send({"type": "http.response.start", "status": response.status, "headers": list(response.headers)})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    async for event in response.events:
        await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
