"""Sends an API's refused decisions to its issuer, in batches, in the background, as the API itself.

A request never waits for it: the queue is bounded, and what does not fit is dropped and counted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

import msgspec

from ostiary.errors import OstiaryError
from ostiary.resource_server.http import HttpPort, HttpRequest
from ostiary.resource_server.sources import Sources
from ostiary.trace import TraceRecord

QUEUE = 1000
BATCH = 100
MAX_BATCH_BYTES = 16 * 1024  # before it is encoded as a form, which may make it three times as long
INTERVAL = 1.0
_TRIES = 3

logger = logging.getLogger("ostiary.resource_server")


class TraceUpload:
    """A sink; its thread starts with the first record and ends with ``close``, and with a later record begins anew.

    dropped: how many records did not reach the issuer.
    """

    def __init__(
        self,
        sources: Sources,
        http: HttpPort,
        clock: Callable[[], float],
        *,
        interval: float = INTERVAL,
        queue: int = QUEUE,
    ) -> None:
        self._sources = sources
        self._http = http
        self._clock = clock
        self._interval = interval
        self._size = queue
        self._queue: deque[bytes] = deque()
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self.dropped = 0

    def record(self, record: TraceRecord) -> None:
        line = msgspec.json.encode(record)
        with self._wake:
            if len(self._queue) >= self._size or not self._running():
                self.dropped += 1
                return
            self._queue.append(line)
            self._wake.notify()

    def close(self, timeout: float = 2.0) -> None:
        """Send what waits, for at most ``timeout`` seconds, and end the thread."""
        with self._wake:
            thread = self._thread
            self._closing = True
            self._wake.notify()
        if thread is not None:
            thread.join(timeout)

    def _running(self) -> bool:
        """Whether a thread sends what is queued; it is started if there is none. Called with the lock held."""
        # None yet, ended by close, or a fork, which takes no threads along.
        if self._thread is None or not self._thread.is_alive():
            self._closing = False
            try:
                self._thread = threading.Thread(target=self._run, name="ostiary-traces", daemon=True)
                self._thread.start()
            except RuntimeError:  # no thread to be had, as at the end of the process: a trace is lost, no request
                return False
        return not self._closing

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._closing:
                    self._wake.wait()
                if not self._closing:
                    self._wake.wait(self._interval)  # so that a burst travels together
                batch = self._take()
                if not batch:
                    return
            self._deliver(batch)

    def _take(self) -> list[bytes]:
        batch: list[bytes] = []
        size = 0
        while self._queue and len(batch) < BATCH and size + len(self._queue[0]) <= MAX_BATCH_BYTES:
            batch.append(self._queue.popleft())
            size += len(batch[-1])
        if not batch and self._queue:
            self._queue.popleft()
            self.dropped += 1
        return batch

    def _deliver(self, batch: list[bytes]) -> None:
        for attempt in range(_TRIES):
            try:
                if self._send(batch):
                    return
                break
            except OstiaryError as error:
                logger.debug("traces were not taken: %s", error)
                if self._closing or attempt == _TRIES - 1:
                    break
                time.sleep(self._interval)
        self.dropped += len(batch)
        logger.warning("%d traces did not reach the issuer", self.dropped)

    def _send(self, batch: list[bytes]) -> bool:
        config = self._sources.own[0]
        self._sources.ready_sync(config.issuer, None)
        metadata = self._sources.metadata(config.issuer)
        if metadata is None or metadata.ostiary_traces_endpoint is None:
            return False
        form = {"traces": '{"traces":[' + b",".join(batch).decode() + "]}", **config.authentication(self._clock())}
        response = self._http.send_sync(HttpRequest(config.reached_at(metadata.ostiary_traces_endpoint), form))
        return 200 <= response.status < 300
