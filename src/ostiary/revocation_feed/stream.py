"""One answer of the feed: what waits to be sent to its reader, and why it ends."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

MAX_WAITING = 256
MAX_WAITING_OCTETS = 16 * 1024 * 1024
"""What may wait for a slow reader beside what the network holds; one message more, and it is cut off."""


@dataclass(frozen=True, slots=True)
class Member:
    """Who reads. client_id: the identity of the API; key_thumbprint: what proved it, "" if no key did.

    digest: of the secret by which it says what it has applied.
    """

    client_id: str
    key_thumbprint: str
    digest: bytes


class Stream:
    """The messages of one reader, in order. ``too_slow`` is set when it is to be cut off: it will come again."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.too_slow = asyncio.Event()
        self._waiting: deque[bytes] = deque()
        self._octets = 0
        self._news = asyncio.Event()
        self._ended = False
        self._push: Callable[[bytes], bool] | None = None
        self._idle = False  # all that was offered is sent, and ``live`` waits

    def attach(self, push: Callable[[bytes], bool]) -> None:
        """A short cut: ``push`` sends a message at once, or says False. With it nobody is woken for a message that
        finds nothing before it, which halves the work where a thousand read.
        """
        self._push = push

    def offer(self, event: bytes) -> bool:
        """Send a message, or queue it; False if its reader is too slow for that."""
        if self._push is not None and self._idle and not (self._waiting or self._ended) and self._push(event):
            return True
        if len(self._waiting) >= MAX_WAITING or self._octets + len(event) > MAX_WAITING_OCTETS:
            self.too_slow.set()
            return False
        self._waiting.append(event)
        self._octets += len(event)
        self._news.set()
        return True

    def end(self) -> None:
        """Let the answer end after what waits."""
        self._ended = True
        self._news.set()

    async def live(self) -> AsyncIterator[bytes]:
        """What is offered, until the end."""
        while True:
            while self._waiting:
                event = self._waiting.popleft()
                self._octets -= len(event)
                yield event
            if self._ended:
                return
            self._news.clear()
            self._idle = True
            await self._news.wait()
            self._idle = False
