"""The hub of the feed in one process: follows the log while somebody reads, and says once, to all, what is new.

How old what a reader knows can be rests on ``at``, so it is never younger than proved: it is a moment before a write
that was committed. A database that cannot commit any more (cut off, or no longer the one) so makes nobody's knowledge
look fresh, though it can still be read: docs/decisions/revocation-feed.md.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from ostiary.errors import OstiaryError, Unavailable
from ostiary.model.feed_reader import LIFE
from ostiary.resource_server.elapsed import elapsed
from ostiary.revocation_feed.base import WakeUps
from ostiary.revocation_feed.seats import Seats
from ostiary.revocation_feed.speaker import Issuer, Page, Speaker, read_page
from ostiary.revocation_feed.stream import Member, Stream
from ostiary.settings.revocation_feed import RevocationFeedSettings
from ostiary.storage.base import Storage
from ostiary.tasks import end

_CATCHING_UP_AT_ONCE = 2
_PAUSE_AFTER_A_FAULT = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opening:
    """A reader that was admitted and written down, in a commit that began after ``at``.

    after: the position above which it wants the log; nonce, secret: for its first message.
    """

    member: Member
    after: int
    nonce: str
    secret: str
    at: int


class Hub:
    """One a process; it does nothing while nobody reads. ``storage`` is open."""

    def __init__(
        self,
        storage: Storage,
        wake_ups: WakeUps,
        issuer: Issuer,
        settings: RevocationFeedSettings,
        seats: Seats,
        *,
        steady: Callable[[], float] = elapsed,
    ) -> None:
        self.node = secrets.token_urlsafe(9)
        self.seats = seats
        self._storage = storage
        self._wake_ups = wake_ups
        self._issuer = issuer
        self._settings = settings
        self._steady = steady
        self._speaker = Speaker(issuer, self.node)
        self._streams: set[Stream] = set()
        self._left: set[bytes] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._looking = asyncio.Lock()
        self._catching_up = asyncio.Semaphore(_CATCHING_UP_AT_ONCE)
        self._position = -1  # up to where every stream has been told the log, -1 while that is not known
        self._registry = -1
        self._proven = 0

    def now(self) -> int:
        """Milliseconds of the steady clock."""
        return int(self._steady() * 1000)

    async def join(self, opening: Opening) -> tuple[Stream, bytes, AsyncIterator[bytes]]:
        """The stream of a reader, its first message, and those after it. Raises Unavailable; ``leave`` it later."""
        try:
            await self._speaker.get_ready()
            self._proven = max(self._proven, opening.at)
            async with self._looking:
                at = self._proven
                if not self._streams:
                    self._position = -1
                await self._look()
                upto = self._position
                if opening.after > upto:
                    raise Unavailable("revocation feed", "the log has become shorter")
                # It was admitted before; what was changed since, the look at the others' streams may have passed over.
                if not await self._issuer.admits(opening.member.client_id, opening.member.key_thumbprint):
                    raise Unavailable("revocation feed", "this reader was shut out meanwhile")
                stream = Stream(opening.member)
                self._streams.add(stream)
        except BaseException:
            self._left.add(opening.member.digest)
            raise
        self._follow()
        try:
            events = self._events(stream, opening, upto, at)
            return stream, await anext(events), events
        except BaseException:
            self.leave(stream)
            raise

    def leave(self, stream: Stream) -> None:
        """Its answer has ended; leaving twice is allowed."""
        if stream in self._streams:
            self._streams.discard(stream)
            self._left.add(stream.member.digest)

    def life(self) -> float:
        """How many seconds a stream may last; jittered, so that the readers of one moment do not come again at once."""
        return self._settings.stream_life * random.uniform(0.8, 1.0)  # noqa: S311 - nothing rests on it

    async def close(self) -> None:
        """End every stream and forget its reader; at the end of the process."""
        for stream in self._streams:
            stream.end()
            self._left.add(stream.member.digest)
        await end(self._tasks)
        if self._left:
            try:
                await self._keep_readers()
            except OstiaryError as error:
                _log.warning("readers of the revocation feed stay listed until they expire: %s", error)

    async def _events(self, stream: Stream, opening: Opening, upto: int, at: int) -> AsyncIterator[bytes]:
        """Pages up to where the stream has joined, and from there what is said to all."""
        start, nonce, secret = opening.after, opening.nonce, opening.secret
        page = await self._page(start, upto)
        yield self._speaker.event(page, at=at, head=upto, nonce=nonce, secret=secret)
        while page.end < upto:
            page = await self._page(page.end, upto)
            yield self._speaker.event(page, at=at, head=upto)
        async for event in stream.live():
            yield event

    async def _page(self, start: int, upto: int) -> Page:
        if start == upto:
            return Page(start, upto)
        async with self._catching_up, self._storage.read() as work:
            return await read_page(work, start, upto, self._issuer.now())

    # -- what is said to all ------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        self._tasks = [task for task in self._tasks if not task.done()]
        names = {task.get_name() for task in self._tasks}
        for name, work in (("feed:news", self._tell_news), ("feed:heartbeat", self._beat)):
            if name not in names:
                self._tasks.append(asyncio.create_task(work(), name=name))

    async def _tell_news(self) -> None:
        while self._streams:
            heard = self._wake_ups.heard
            if not await self._done(self._say_news):
                await asyncio.sleep(_PAUSE_AFTER_A_FAULT)
            await self._wake_ups.wait(self._settings.heartbeat, since=heard)

    async def _beat(self) -> None:
        while self._streams or self._left:
            await asyncio.sleep(self._settings.heartbeat)
            await self._done(self._say_heartbeat)

    async def _done(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Whether it could be done. What cannot is not said: readers grow older, and refuse in time."""
        try:
            await work()
        except OstiaryError as error:
            _log.warning("the revocation feed falls silent, it is tried again: %s", error)
            return False
        except Exception:
            _log.exception("the revocation feed failed, it is tried again")
            return False
        return True

    async def _say_news(self) -> None:
        async with self._looking:
            if self._streams:
                await self._look()

    async def _say_heartbeat(self) -> None:
        at = self.now()
        if await self._keep_readers():
            self._proven = max(self._proven, at)
        elif self._streams:
            # A write that changes nothing proves nothing. They ask again, and are written down anew.
            _log.warning("the readers of this node are written down no more, so their streams end")
            for stream in self._streams:
                stream.end()
        async with self._looking:
            if self._streams:
                await self._look(heartbeat=True)

    async def _keep_readers(self) -> bool:
        """The write that proves the database to be the one: that this node's readers are here; whether it wrote."""
        left, now = frozenset(self._left), int(self._issuer.now())
        async with self._storage.write() as work:
            await work.feed_readers.remove(left)
            kept = await work.feed_readers.keep(self.node, seen_at=now, expires_at=now + LIFE)
        self._left -= left
        return kept > 0

    async def _look(self, *, heartbeat: bool = False) -> None:
        """Say what was committed since the last look; one look at a time."""
        at, pages = self._proven, list[Page]()
        async with self._storage.read() as work:
            positions = await work.positions()
            head = positions.revocation
            told = head if self._position < 0 else self._position
            while told < head:
                pages.append(await read_page(work, told, head, self._issuer.now()))
                told = pages[-1].end
        await self._take_in(positions.registry)
        if head < self._position:
            self._end_all(head)
        elif heartbeat and not pages:
            pages.append(Page(head, head))
        events = [self._speaker.event(page, at=at, head=head) for page in pages]
        self._position = head
        for event in events:
            self._say(event)

    def _say(self, event: bytes) -> None:
        for stream in tuple(self._streams):
            if not stream.offer(event):
                self.leave(stream)
                self._issuer.count("feed_streams_ended", {"why": "slow"})

    async def _take_in(self, registry: int) -> None:
        """End the streams of whoever could not begin one any more."""
        if registry == self._registry:
            return
        await self._issuer.refresh()
        for stream in tuple(self._streams):
            if not await self._issuer.admits(stream.member.client_id, stream.member.key_thumbprint):
                stream.end()
                self._issuer.count("feed_streams_ended", {"why": "not admitted"})
        self._registry = registry

    def _end_all(self, head: int) -> None:
        _log.error(
            "the revocation log ends at %s, below what was read of it before (%s): the database was restored or has"
            " lost commits; run `ostiary admin new-epoch`",
            head,
            self._position,
        )
        for stream in self._streams:
            stream.end()
