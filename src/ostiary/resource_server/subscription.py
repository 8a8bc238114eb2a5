"""Follows one issuer's revocation feed: asks, reads, asks again when an answer ends, and says what it has applied.

A read waits for a few heartbeats at most; then another connection is made, to another node perhaps. What does not
follow from what is known ends the answer that it stands in, and makes nothing look younger.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import SystemRandom
from typing import TYPE_CHECKING, Final

from ostiary.errors import ConfigurationError, OstiaryError, Unavailable, VerificationError
from ostiary.protocol import jws, revocation_feed
from ostiary.protocol.checks import shown
from ostiary.protocol.metadata import AuthorizationServerMetadata
from ostiary.resource_server.errors import unknown_key
from ostiary.resource_server.feed import Feed
from ostiary.resource_server.http import (
    EVENT_STREAM,
    MAX_BYTES,
    HttpRequest,
    HttpResponse,
    HttpStream,
    StreamingHttpPort,
)
from ostiary.resource_server.introspection import public_error
from ostiary.resource_server.server_sent_events import Events
from ostiary.tasks import end

if TYPE_CHECKING:
    from ostiary.resource_server.sources import Sources

HEARTBEAT: Final = 5.0
"""Seconds: the issuer sends a message at least so often."""
SHORTEST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0
BETWEEN_ACKNOWLEDGEMENTS: Final = 1.0
UNKNOWN_POSITION: Final = "unknown_position"

_random = SystemRandom()
logger = logging.getLogger("ostiary.resource_server")


class Subscription:
    """One feed. clock: as of ResourceServer."""

    def __init__(self, feed: Feed, sources: Sources, http: StreamingHttpPort, clock: Callable[[], float]) -> None:
        self._feed = feed
        self._sources = sources
        self._config = sources.keys[feed.issuer].config
        self._http = http
        self._clock = clock
        # Seconds without a good message; so that another connection is made while what is known still suffices.
        self._quiet = min(max(0.4 * feed.max_staleness, HEARTBEAT + 1), 2.4 * HEARTBEAT)
        self._warned = False
        self._disowned = False
        self._unpublished = False
        self._progress = asyncio.Event()

    async def follow(self) -> None:
        """Until cancelled."""
        feed, pause = self._feed, SHORTEST_PAUSE
        while True:
            taken = feed.taken
            try:
                await self._answer()
                self._failed("the issuer ended its answer")
            except TimeoutError:
                self._failed(f"nothing heard for {self._quiet:.0f} s")
            except OstiaryError as error:
                detail = f" ({error.seen} instead of {error.expected})" if isinstance(error, VerificationError) else ""
                self._failed(f"{error}{detail}")
            except Exception as error:
                # A defect of ours must not end the thread: what is known grows old, and then refuses.
                logger.exception("the revocation feed of %s could not be followed", feed.issuer)
                self._failed(type(error).__name__)
            finally:
                feed.following = False
            pause = SHORTEST_PAUSE if feed.taken > taken else pause
            await asyncio.sleep(_random.uniform(pause / 2, pause))
            pause = min(2 * pause, LONGEST_PAUSE)
            feed.reconnects += 1

    def _failed(self, fault: str) -> None:
        feed = self._feed
        feed.fault = fault
        if feed.staleness() > feed.max_staleness and not self._warned and not self._unpublished:
            self._warned = True
            logger.warning(
                "%s: which tokens were revoked is %s, so self-contained ones are not taken unasked: %s",
                *(feed.issuer, feed.age(), fault),
            )
        logger.debug("the revocation feed of %s: %s", feed.issuer, fault)

    async def _answer(self) -> None:
        found = await self._published()
        url = self._config.reached_at(found)
        async with asyncio.timeout(self._quiet) as limit:
            form = {**self._feed.question(), **self._config.authentication(self._clock())}
            async with self._http.stream(HttpRequest(url, form)) as answer:
                await self._expect(answer)
                async with self._acknowledging():
                    await self._read(answer, limit)

    async def _published(self) -> str:
        """Where the feed is. Raises Unavailable; the log says once what to choose where there is none."""
        await self._sources.ready(self._feed.issuer, None)
        metadata = self._metadata()
        if metadata.ostiary_revocations_endpoint is None:
            self._feed.settle()
            if not self._unpublished:
                self._unpublished = True
                logger.error(
                    "%s publishes no revocation feed, so its self-contained tokens are refused; choose "
                    'revocation="introspect", "status_list" if it publishes such lists, or "until_expiry" if a revoked '
                    "token may be good until it expires (OSTIARY_REVOCATION, IssuerConfig(revocation=))",
                    self._feed.issuer,
                )
            raise Unavailable("revocation feed", f"the metadata of {self._feed.issuer} names none")
        return metadata.ostiary_revocations_endpoint

    def _metadata(self) -> AuthorizationServerMetadata:
        found = self._sources.metadata(self._feed.issuer)
        if found is None:
            raise Unavailable("issuer", f"nothing is known of {self._feed.issuer} yet")
        return found

    async def _expect(self, answer: HttpStream) -> None:
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if answer.status == 200 and kind == EVENT_STREAM:
            return
        body = bytearray()
        async for chunk in answer.chunks:
            body += chunk[: MAX_BYTES - len(body)]
            if len(body) >= MAX_BYTES:
                break
        told = public_error(HttpResponse(answer.status, bytes(body)))
        if answer.status == 409 and told.split(" ")[0] == UNKNOWN_POSITION:
            self._start_over()
        raise Unavailable("revocation feed", f"{self._feed.issuer} answers {answer.status} {kind} {told}".rstrip())

    def _start_over(self) -> None:
        """Its database is of another past: restored, or failed over with a loss; or it was set up anew."""
        if not self._disowned:
            logger.error(
                "%s does not know position %d of its revocation log; everything is asked for anew, and what is known "
                "here is kept besides",
                *(self._feed.issuer, self._feed.position),
            )
        self._disowned = True
        self._feed.start_over()

    async def _read(self, answer: HttpStream, limit: asyncio.Timeout) -> None:
        loop, events = asyncio.get_running_loop(), Events(revocation_feed.MAX_LENGTH)
        async for chunk in answer.chunks:
            for event in events.feed(chunk):
                await self._take(event)
                limit.reschedule(loop.time() + self._quiet)

    async def _take(self, event: bytes) -> None:
        feed, parsed = self._feed, jws.parse(event, max_length=revocation_feed.MAX_LENGTH)
        keys, kid = self._sources.keys[feed.issuer], parsed.header.kid or ""
        # The key may be new, as for a token: it is asked for, no more often than for those.
        await self._sources.ready(feed.issuer, kid)
        key = keys.find(kid)
        if key is None:
            raise unknown_key(f"the kid {shown(kid)}", feed.issuer)
        followed = feed.following
        feed.take(parsed, key)
        self._progress.set()
        if feed.following and not followed:
            level = logging.WARNING if self._warned else logging.INFO
            logger.log(level, "%s: revocations are followed, from position %d", feed.issuer, feed.position)
            self._warned = self._disowned = False

    @asynccontextmanager
    async def _acknowledging(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._acknowledge())
        try:
            yield
        finally:
            await end([task])

    async def _acknowledge(self) -> None:
        """Say what has been applied: at once after a quiet time, else about once a second. No answer is waited for
        by the stream, and one that is lost is made up for by the next."""
        feed, told = self._feed, -1
        while True:
            await self._progress.wait()
            self._progress.clear()
            position, reader = feed.position, feed.reader
            if position == told or reader is None:
                continue
            if await self._applied(reader, position):
                told = position
            else:
                self._progress.set()
            await asyncio.sleep(BETWEEN_ACKNOWLEDGEMENTS + _random.uniform(0, 0.25))

    async def _applied(self, reader: str, position: int) -> bool:
        try:
            endpoint = self._metadata().ostiary_revocations_applied_endpoint
            if endpoint is None:
                return True
            form = {"reader": reader, "position": str(position)}
            response = await self._http.send(HttpRequest(self._config.reached_at(endpoint), form))
        except (Unavailable, ConfigurationError, TimeoutError) as error:
            logger.debug("what was applied could not be said to %s: %s", self._feed.issuer, error)
            return False
        return 200 <= response.status < 300
