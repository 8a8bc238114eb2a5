"""The one thread of a process that follows the revocation feeds of its issuers, whatever framework serves the API.

It starts with the application (ASGI) or with the first token that needs it, begins anew in a process that was forked,
and ends with ``close``. Requests read what it knows without waiting, except for the first ones, which wait a few
seconds for its first answer.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ostiary.errors import Unavailable
from ostiary.replay import at_fork
from ostiary.resource_server.feed import Feed
from ostiary.resource_server.http import StreamingHttpPort
from ostiary.resource_server.subscription import Subscription
from ostiary.resource_server.watch import INTROSPECT, WhenStale
from ostiary.tasks import end

if TYPE_CHECKING:
    from ostiary.resource_server.sources import Sources

FIRST_WAIT: Final = 5.0
"""Seconds after the start, for which requests wait for the first answer."""
RETRY_AFTER: Final = 2


class Follower:
    """feeds: by issuer. when_stale: what becomes of a self-contained token meanwhile. clock: as of ResourceServer."""

    def __init__(
        self,
        feeds: Mapping[str, Feed],
        sources: Sources,
        http: StreamingHttpPort,
        clock: Callable[[], float],
        *,
        when_stale: WhenStale,
    ) -> None:
        self._feeds = feeds
        self._sources = sources
        self._http = http
        self._clock = clock
        self._when_stale = when_stale
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._began = 0.0
        # What the parent's thread held: its loop must not be closed here, for the kernel's part of it is the parent's.
        self._abandoned: list[object] = []
        at_fork.tell(self)

    def start(self) -> None:
        """Follow, if nobody does. A process that is about to end has no threads to give: then nothing is admitted."""
        thread = self._thread
        if thread is not None and thread.is_alive():
            return
        watched = [feed for feed in self._feeds.values() if self._sources.watches[feed.issuer] is feed.watch]
        with self._lock:
            if not watched or (self._thread is not None and self._thread.is_alive()):
                return
            self._began = time.monotonic()
            thread = threading.Thread(target=self._run, args=(watched,), name="ostiary-revocations", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise Unavailable("revocation feed", f"no thread could be started: {error}") from error
            self._thread = thread

    async def caught_up(self, issuer: str) -> bool:
        """Whether the feed of ``issuer`` is known well enough; False: its tokens are to be asked about.

        Raises Unavailable where they are to be refused.
        """
        feed = self._feeds.get(issuer)
        if feed is None:
            return False
        settled = self._first_answer(feed)
        if settled is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience()):
                    await asyncio.shield(asyncio.wrap_future(settled))
        return self._judged(feed)

    def caught_up_sync(self, issuer: str) -> bool:
        """The same from a thread."""
        feed = self._feeds.get(issuer)
        if feed is None:
            return False
        settled = self._first_answer(feed)
        if settled is not None:
            with suppress(TimeoutError):
                settled.result(self._patience())
        return self._judged(feed)

    def close(self, timeout: float = 2.0) -> None:
        """End the thread, within ``timeout`` seconds; the next token that needs it begins another."""
        with self._lock:
            thread, loop, stop = self._thread, self._loop, self._stop
            self._thread = self._loop = self._stop = None
        if thread is None:
            return
        if loop is not None and stop is not None:
            with suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(stop.set)
        thread.join(timeout)
        for feed in self._feeds.values():
            feed.pause()

    def before_fork(self) -> None:
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        self._lock.release()

    def after_fork_in_child(self) -> None:
        # A fork takes no threads along: nothing is followed here until somebody starts it.
        if self._thread is not None:
            self._abandoned += [self._thread, self._loop]
            self._thread = self._loop = self._stop = None
            for feed in self._feeds.values():
                feed.pause()
        self._lock.release()

    def _first_answer(self, feed: Feed) -> Future[None] | None:
        """What to wait for, if anything."""
        self.start()
        return feed.settled if not feed.settled.done() and self._patience() > 0 else None

    def _patience(self) -> float:
        return self._began + FIRST_WAIT - time.monotonic()

    def _judged(self, feed: Feed) -> bool:
        if feed.staleness() < feed.max_staleness:
            return True
        if self._when_stale == INTROSPECT:
            return False
        detail = f"which tokens of {feed.issuer} were revoked is {feed.age()}: {feed.fault or 'no answer'}"
        raise Unavailable("revocation feed", detail, retry_after=RETRY_AFTER)

    def _run(self, feeds: list[Feed]) -> None:
        asyncio.run(self._main(feeds))

    async def _main(self, feeds: list[Feed]) -> None:
        stop = asyncio.Event()
        with self._lock:
            if self._thread is not threading.current_thread():
                return  # closed before it began
            self._loop, self._stop = asyncio.get_running_loop(), stop
        tasks = [
            asyncio.create_task(Subscription(feed, self._sources, self._http, self._clock).follow()) for feed in feeds
        ]
        try:
            await stop.wait()
        finally:
            await end(tasks)
            await self._http.aclose()
