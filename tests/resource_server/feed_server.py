"""The revocation feed of the small authorization server: its log, its streams, and every way to tell them wrongly."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from ostiary.protocol import jws, revocation_feed, token_format
from ostiary.protocol.jwk import SigningKey
from ostiary.protocol.revocation_feed import Kind, Message, Row

Answer = Callable[[dict[str, str]], Iterator[bytes]]


def event(message: str) -> bytes:
    """The server-sent event of ``message``."""
    return f"data: {message}\n\n".encode()


class FeedServer:
    """The log of one issuer. questions: the forms that asked, acknowledged: the position of each reader.

    node, at: of the process that answers, and its steady clock in milliseconds. answer: what is sent in place of the
    usual events, to the form that asked; lost: answers 409 to whoever knows a position.
    """

    def __init__(self, issuer: str, key: SigningKey) -> None:
        self.issuer = issuer
        self.key = key
        self.installation = "abcdef"
        self.node = "node-1"
        self.at: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000
        self.rows: list[Row] = []
        self.position = 0
        self.page = 1000
        self.questions: list[dict[str, str]] = []
        self.acknowledged: dict[str, int] = {}
        self.refused_acknowledgements = 0
        self.answer: Answer | None = None
        self.lost = False
        self.published = True
        self._lock = threading.Lock()
        self._streams: set[queue.SimpleQueue[bytes | None]] = set()

    def revoke(self, kind: Kind, value: str = "", life: float = 600) -> int:
        """Append a row and tell every stream; its position."""
        with self._lock:
            start, self.position = self.position, self.position + 1
            self.rows.append(Row(self.position, kind, value, int(time.time() + life)))
            self._tell(event(self.message(start, self.position, rows=tuple(self.rows[-1:]))))
            return self.position

    def beat(self) -> None:
        """A heartbeat to every stream."""
        with self._lock:
            self._tell(event(self.message(self.position, self.position)))

    def send(self, octets: bytes) -> None:
        """Whatever it is, to every stream."""
        with self._lock:
            self._tell(octets)

    def cut(self) -> None:
        """End every stream."""
        with self._lock:
            self._tell(None)

    @property
    def streams(self) -> int:
        return len(self._streams)

    def message(self, start: int, end: int, *, key: SigningKey | None = None, **members: Any) -> str:
        """A signed message."""
        usual = {
            "iss": self.issuer,
            "installation": self.installation,
            "node": self.node,
            "at": self.at(),
            "iat": int(time.time()),
            "start": start,
            "end": end,
            "head": end,
        }
        payload = revocation_feed.build(Message(**{**usual, **members}))
        return jws.sign(payload, key or self.key, typ=revocation_feed.TYP)

    def applied(self, form: dict[str, str]) -> int:
        """Take an acknowledgement; the status."""
        if self.refused_acknowledgements:
            self.refused_acknowledgements -= 1
            return 503
        self.acknowledged[form["reader"]] = int(form["position"])
        return 200

    def events(self, form: dict[str, str]) -> Iterator[bytes] | None:
        """What is sent to whoever asks with ``form``; None: its position is unknown."""
        self.questions.append(form)
        if self.lost and "after" in form:
            return None
        if self.answer is not None:
            return self.answer(form)
        return self.usual(form)

    def usual(self, form: dict[str, str]) -> Iterator[bytes]:
        mine: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        with self._lock:
            first = list(self._pages(int(form.get("after", "0")), form["nonce"]))
            self._streams.add(mine)
        try:
            yield from first
            yield from iter(mine.get, None)
        finally:
            with self._lock:
                self._streams.discard(mine)

    def _pages(self, after: int, nonce: str) -> Iterator[bytes]:
        """Everything above ``after``; the first page repeats the nonce."""
        reader = token_format.generate(token_format.FEED_READER, self.installation)
        own: dict[str, Any] = {"nonce": nonce, "reader": reader}
        for number in itertools.count():
            start = min(after + number * self.page, self.position)
            end = min(start + self.page, self.position)
            rows = tuple(row for row in self.rows if start < row.position <= end)
            yield event(self.message(start, end, head=self.position, rows=rows, **own))
            own = {}
            if end == self.position:
                return

    def _tell(self, octets: bytes | None) -> None:
        for stream in self._streams:
            stream.put(octets)
