"""The short cut for events: a piece of a body is sent at once where it need not wait, and never out of its place."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from ostiary.authorization_server.event_stream import CONNECTION, PUSH
from ostiary.revocation_feed.stream import MAX_WAITING, Member, Stream
from tests.serving.test_http_protocol import Recorder, connect, run, serving

GET = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"


class Streaming(Recorder):
    """Answers with a body that begins with ``first`` and goes on until ``gate``; ``pushes`` are those of each scope."""

    def __init__(self) -> None:
        super().__init__()
        self.gate.clear()
        self.pushes: list[Any] = []
        self.begun = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.pushes.append(scope["extensions"][PUSH])
        self.early = self.pushes[-1](b"too early")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        self.begun.set()
        await self.gate.wait()
        await send({"type": "http.response.body", "body": b"last", "more_body": False})


def test_a_push_is_a_piece_of_the_body_in_its_place_and_nothing_before_or_after_it() -> None:
    async def scenario() -> None:
        app = Streaming()
        async with serving(app) as (port, _):
            reader, writer = await connect(port)
            writer.write(GET)
            await app.begun.wait()
            assert app.early is False
            [push] = app.pushes
            assert push(b"second" * 4)
            app.gate.set()
            answer = await reader.readuntil(b"0\r\n\r\n")
            assert answer.partition(b"\r\n\r\n")[2] == b"5\r\nfirst\r\n18\r\n%b\r\n4\r\nlast\r\n0\r\n\r\n" % (
                b"second" * 4
            )
            assert push(b"too late") is False
            writer.close()

    run(scenario)


class Patient(Streaming):
    """Gives its peer up after 7 seconds; ``connected`` is its socket."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        protocol = scope["extensions"][CONNECTION]
        protocol.give_up_after(7)
        self.connected = protocol.transport.get_extra_info("socket")
        await super().__call__(scope, receive, send)


def test_a_peer_that_acknowledges_nothing_is_given_up_by_the_system() -> None:
    """RFC 5482: a machine that was switched off closes no connection."""

    async def scenario() -> None:
        app = Patient()
        async with serving(app) as (port, _):
            _, writer = await connect(port)
            writer.write(GET)
            await app.begun.wait()
            assert app.connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7000
            writer.close()

    run(scenario)


def test_a_push_belongs_to_its_own_request_however_many_come_after_it() -> None:
    async def scenario() -> None:
        app = Streaming()
        async with serving(app) as (port, _):
            reader, writer = await connect(port)
            writer.write(GET + GET)
            await app.begun.wait()
            assert app.pushes[0](b"mine")
            app.gate.set()
            whole = await reader.readuntil(b"0\r\n\r\n") + await reader.readuntil(b"0\r\n\r\n")
            one, other = whole.split(b"HTTP/1.1 200")[1:]
            assert b"4\r\nmine\r\n" in one
            assert b"mine" not in other
            writer.close()

    run(scenario)


def test_whoever_does_not_read_is_not_pushed_to() -> None:
    async def scenario() -> None:
        app = Streaming()
        async with serving(app) as (port, _):
            _, writer = await connect(port)
            writer.write(GET)
            await app.begun.wait()
            pushed = 0
            while app.pushes[0](b"x" * 65_536):
                pushed += 1
                await asyncio.sleep(0)
            assert pushed < 1000
            writer.transport.abort()

    run(scenario)


class Reader:
    """What a stream sends: ``taken`` by ``live``, ``pushed`` as long as ``takes``."""

    def __init__(self) -> None:
        self.stream = Stream(Member("api", "", b"d"))
        self.sent: list[tuple[str, bytes]] = []
        self.takes = True

    def push(self, event: bytes) -> bool:
        if self.takes:
            self.sent.append(("pushed", event))
        return self.takes

    async def read(self) -> None:
        async for event in self.stream.live():
            self.sent.append(("taken", event))


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_events_keep_their_order_whichever_way_they_go() -> None:
    async def scenario() -> None:
        reader = Reader()
        stream = reader.stream
        stream.attach(reader.push)
        assert stream.offer(b"1")  # its pages are still being sent
        reading = asyncio.create_task(reader.read())
        await _turns()
        stream.offer(b"2")
        reader.takes = False
        stream.offer(b"3")
        reader.takes = True
        stream.offer(b"4")  # behind the one that waits
        await _turns()
        stream.offer(b"5")
        stream.end()
        stream.offer(b"6")
        await reading
        assert reader.sent == [
            ("taken", b"1"),
            ("pushed", b"2"),
            ("taken", b"3"),
            ("taken", b"4"),
            ("pushed", b"5"),
            ("taken", b"6"),
        ]

    run(scenario)


@pytest.mark.parametrize("attached", [True, False])
def test_a_reader_that_takes_nothing_is_cut_off(attached: bool) -> None:
    async def scenario() -> None:
        reader = Reader()
        reader.takes = False
        if attached:
            reader.stream.attach(reader.push)
        offered = [reader.stream.offer(b"x") for _ in range(MAX_WAITING + 1)]
        assert offered == [True] * MAX_WAITING + [False]
        assert reader.stream.too_slow.is_set()

    run(scenario)
