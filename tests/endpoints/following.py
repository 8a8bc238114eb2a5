"""A reader of the revocation feed over ASGI, as lenient as a test must be: it verifies and checks nothing by itself."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from ostiary.authorization_server.event_stream import CONNECTION
from ostiary.protocol import jws, revocation_feed
from ostiary.protocol.revocation_feed import Message
from tests.authorization_server.world import ISSUER, World, scope

NONCE = "a-nonce-of-16-ch"


class Reader:
    """One answer: its status and headers, then its messages one by one. ``hang_up`` is what a lost reader does."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.status = 0
        self.headers: dict[str, str] = {}
        self.ended = asyncio.Event()
        self.aborted = asyncio.Event()
        self.reading = asyncio.Event()
        self.reading.set()
        self.patience = 0.0
        self.at_stop: Callable[[], None] | None = None
        self._sent: asyncio.Queue[bytes] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._body: list[Any] = []

    async def body(self) -> bytes:
        """The next piece of the body."""
        return await self._sent.get()

    @property
    def waiting(self) -> int:
        """How many pieces have been sent and not been looked at."""
        return self._sent.qsize()

    async def next(self) -> Message:
        """The next message, verified by the issuer's key."""
        return self.verified(await self.body())

    def verified(self, event: bytes) -> Message:
        assert event.startswith(b"data: "), event
        assert event.endswith(b"\n\n"), event
        text = jws.parse(event.removeprefix(b"data: ").removesuffix(b"\n\n").decode())
        key = self.world.signing_keys.verification_key(str(text.header.kid))
        assert key is not None
        return revocation_feed.verify(text, key, issuer=ISSUER)

    def hang_up(self) -> None:
        self._gone.set()

    # What the server is given.

    def on_stop(self, callback: Callable[[], None] | None) -> None:
        self.at_stop = callback

    def give_up_after(self, seconds: float) -> None:
        self.patience = seconds

    def abort(self) -> None:
        self.aborted.set()

    def requested(self, body: bytes) -> None:
        self._body = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive(self) -> Any:
        if self._body:
            return self._body.pop()
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.reading.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        if message["body"]:
            self._sent.put_nowait(message["body"])
        if not message.get("more_body", False):
            self.ended.set()


@asynccontextmanager
async def following(world: World, api: str = "api_orders", **parameters: str | None) -> AsyncIterator[Reader]:
    """A reader with an answer that has begun; it has hung up afterwards."""
    reader = Reader(world)
    form = world.form(api, **({"nonce": secrets.token_urlsafe(16)} | parameters))
    reader.requested(urlencode(form).encode())
    headers = {"content-type": "application/x-www-form-urlencoded"}
    asked = scope("POST", "/revocations", headers) | {"extensions": {CONNECTION: reader}}
    answering = asyncio.ensure_future(world.app(asked, reader.receive, reader.send))
    try:
        yield reader
    finally:
        reader.hang_up()
        reader.reading.set()
        await answering


def scenario(world: World, told: Callable[[], Awaitable[None]]) -> None:
    """Run a coroutine function to its end, and close the hub."""

    async def inside() -> None:
        try:
            async with asyncio.timeout(60):
                await told()
        finally:
            await world.server.feed.close()

    world.run(inside())
