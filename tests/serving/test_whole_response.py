"""The extension by which a whole response leaves in one write: what is sent, and what is never sent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from ostiary.authorization_server.http import WHOLE_RESPONSE, Response, send_response
from tests.serving.test_http_protocol import Recorder, exchange, run, serving

GET = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /%b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


async def _until(reached: Callable[[], object]) -> None:
    for _ in range(100_000):
        if reached():
            return
        await asyncio.sleep(0)
    raise TimeoutError


class Whole(Recorder):
    """Answers by ``send_response`` with the path as its body; ``headers`` are added, ``times`` it is sent."""

    def __init__(self, *headers: tuple[bytes, bytes], times: int = 1) -> None:
        super().__init__()
        self.headers = headers
        self.times = times

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        await self.gate.wait()
        for _ in range(self.times):
            response = Response(200, self.headers, scope["path"].encode())
            await send_response(scope, send, response, head=scope["method"] == "HEAD")


def test_answers_of_one_connection_come_whole_and_in_order() -> None:
    async def scenario() -> None:
        async with serving(Whole((b"x-one", b"1"))) as (port, _):
            answer = await exchange(port, GET % b"first" + GET % b"second" + LAST % b"third")
        first, second, third = answer.split(b"HTTP/1.1 200 OK\r\n")[1:]
        assert first.endswith(b"\r\nx-one: 1\r\ncontent-length: 6\r\n\r\n/first")
        assert second.endswith(b"\r\n\r\n/second")
        assert third.endswith(b"\r\nconnection: close\r\n\r\n/third")
        assert b"connection: close" not in first + second

    run(scenario)


def test_a_response_is_one_write() -> None:
    async def scenario() -> None:
        written: list[bytes] = []

        class Counting(Whole):
            async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
                cycle = scope["extensions"][WHOLE_RESPONSE].args[0]
                real = cycle.transport

                class Transport:
                    def write(self, octets: bytes) -> None:
                        written.append(octets)
                        real.write(octets)

                    def __getattr__(self, name: str) -> Any:
                        return getattr(real, name)

                cycle.transport = Transport()
                await super().__call__(scope, receive, send)

        async with serving(Counting()) as (port, _):
            answer = await exchange(port, LAST % b"x")
        assert written == [answer]

    run(scenario)


def test_head_is_answered_without_a_body() -> None:
    async def scenario() -> None:
        async with serving(Whole()) as (port, _):
            answer = await exchange(port, (LAST % b"abc").replace(b"GET", b"HEAD"))
        assert b"\r\ncontent-length: 4\r\n" in answer
        assert answer.endswith(b"\r\n\r\n")

    run(scenario)


@pytest.mark.parametrize(
    "header",
    [(b"x", b"a\r\nset-cookie: b"), (b"x", b"a\nb"), (b"x", b"a\rb"), (b"x", b"a\0b"), (b"x\r\ny", b"a")],
    ids=["a line", "LF", "CR", "NUL", "in the name"],
)
def test_a_control_character_in_a_header_is_never_sent(
    header: tuple[bytes, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """attack: response splitting by whatever reaches a header."""
    caplog.set_level(logging.CRITICAL)

    async def scenario() -> None:
        async with serving(Whole(header)) as (port, _):
            answer = await exchange(port, LAST % b"x")
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert b"x: a" not in answer
        assert b"cookie" not in answer

    run(scenario)


def test_a_second_response_is_refused_and_the_first_one_stays() -> None:
    async def scenario() -> None:
        async with serving(Whole(times=2)) as (port, _):
            answer = await exchange(port, LAST % b"x")
        assert answer.count(b"HTTP/1.1 ") == 1

    run(scenario)


def test_nothing_is_sent_to_a_peer_that_is_gone() -> None:
    async def scenario() -> None:
        app = Whole()
        app.gate.clear()
        async with serving(app) as (port, server):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(GET % b"x")
            await _until(lambda: app.scopes)
            writer.transport.abort()
            await _until(lambda: not server.server_state.connections)
            app.gate.set()
            await _until(lambda: not server.server_state.tasks)
            cycle = app.scopes[0]["extensions"][WHOLE_RESPONSE].args[0]
            assert cycle.disconnected
            assert not cycle.response_started

    run(scenario)
