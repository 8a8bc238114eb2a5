"""The limits of a connection, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trustme
import uvicorn

from ostiary.serving.connections import AddressLimit
from ostiary.serving.http_protocol import Limits, OstiaryHttpProtocol, limited_protocol
from ostiary.serving.listeners import bind
from ostiary.serving.process import StoppableServer, api_limits, api_server, management_server
from ostiary.settings import Settings

LIMITS = Limits(max_header_bytes=2048, request_timeout=0.3)


class Recorder:
    """An ASGI application that answers 200 and remembers what it was called with; ``gate`` holds the answer back."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.disconnects = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.disconnects += 1
                return
            more = message["more_body"]
        await self.gate.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@contextlib.asynccontextmanager
async def serving(
    app: Recorder, *, context: ssl.SSLContext | None = None, limits: Limits = LIMITS
) -> AsyncIterator[tuple[int, StoppableServer]]:
    sockets = bind("127.0.0.1", 0)
    port = sockets[0].getsockname()[1]
    factory = (lambda *_: context) if context is not None else None
    config = uvicorn.Config(
        app,
        http=limited_protocol(limits),
        lifespan="off",
        log_config=None,
        ssl_context_factory=factory,
        timeout_graceful_shutdown=5,
    )
    server = StoppableServer(config)
    task = asyncio.create_task(server.serve(sockets=sockets))
    await server.ready.wait()
    try:
        yield port, server
    finally:
        app.gate.set()
        server.should_exit = True
        await task


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(port: int, source: str = "127.0.0.1") -> Streams:
    """A connection from one of this machine's own addresses."""
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))


async def ask(streams: Streams) -> bytes:
    """A request on an open connection, and its answer's first line."""
    reader, writer = streams
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = await asyncio.wait_for(reader.readuntil(b"ok"), 5)
    return answer.split(b"\r\n")[0]


async def exchange(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(pause)
    try:
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def run(scenario: Any) -> None:
    asyncio.run(scenario())


def test_a_request_within_the_limits_is_answered() -> None:
    async def scenario() -> None:
        app = Recorder()
        async with serving(app) as (port, _):
            answer = await exchange(port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert "tls" not in app.scopes[0]["extensions"]

    run(scenario)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 3000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 3000,
    ],
    ids=["long target", "long header", "many headers", "header without end"],
)
def test_a_header_section_over_the_limit_is_refused_before_the_application(request_bytes: bytes) -> None:
    async def scenario() -> None:
        app = Recorder()
        async with serving(app) as (port, _):
            answer = await exchange(port, request_bytes)
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert app.scopes == []

    run(scenario)


def test_a_large_body_in_the_same_packet_is_not_counted_as_header() -> None:
    async def scenario() -> None:
        app = Recorder()
        async with serving(app) as (port, _):
            body = b"b" * 8000
            head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 8000\r\n\r\n"
            answer = await exchange(port, head + body)
        assert answer.startswith(b"HTTP/1.1 200 ")

    run(scenario)


def test_a_header_section_that_never_ends_is_timed_out() -> None:
    async def scenario() -> None:
        app = Recorder()
        async with serving(app) as (port, _):
            answer = await exchange(port, b"GET / HTTP/1.1\r\nHost: a\r\n")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert app.scopes == []

    run(scenario)


def test_a_connection_that_sends_nothing_is_timed_out() -> None:
    async def scenario() -> None:
        app = Recorder()
        async with serving(app) as (port, _):
            answer = await exchange(port)
        assert answer.startswith(b"HTTP/1.1 408 ")

    run(scenario)


def test_a_body_that_never_ends_is_timed_out_and_the_application_told() -> None:
    async def scenario() -> None:
        app = Recorder()
        async with serving(app) as (port, _):
            answer = await exchange(port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert app.disconnects == 1

    run(scenario)


def test_a_slow_answer_is_not_timed_out() -> None:
    async def scenario() -> None:
        app = Recorder()
        app.gate.clear()
        async with serving(app) as (port, _):
            asked = asyncio.create_task(exchange(port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
            await asyncio.sleep(2 * LIMITS.request_timeout)
            app.gate.set()
            answer = await asked
        assert answer.startswith(b"HTTP/1.1 200 ")

    run(scenario)


def test_both_lengths_are_refused_so_that_no_request_is_smuggled() -> None:
    async def scenario() -> None:
        app = Recorder()
        async with serving(app) as (port, _):
            answer = await exchange(
                port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            )
        assert answer.startswith(b"HTTP/1.1 400 ")

    run(scenario)


def test_a_request_that_crosses_the_stop_is_answered_and_the_connection_closed() -> None:
    async def scenario() -> None:
        app = Recorder()
        async with serving(app) as (port, server):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 ")
            for listener in server.servers:
                listener.close()
            for connection in list(server.server_state.connections):
                connection.shutdown()
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = await asyncio.wait_for(reader.read(), 5)
            writer.close()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in answer

    run(scenario)


def test_the_client_certificate_of_the_connection_is_in_the_scope() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)
    certificate = authority.issue_cert("client@example.com")

    async def ask(port: int) -> None:
        reader, writer = await asyncio.open_connection("localhost", port, ssl=client_context)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        await asyncio.wait_for(reader.read(), 5)
        writer.close()

    async def scenario() -> None:
        app = Recorder()
        async with serving(app, context=context, limits=Limits(2048, 5.0)) as (port, _):
            await ask(port)
            certificate.configure_cert(client_context)
            await ask(port)
        without, with_certificate = (scope["extensions"]["tls"]["client_certificate"] for scope in app.scopes)
        assert without is None
        assert with_certificate == ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())

    run(scenario)


PATIENT = 30.0


def few(most: int) -> Limits:
    """Limits under which the machine's own addresses count too, for 127.0.0.1 and 127.0.0.2 are two."""
    return Limits(2048, PATIENT, AddressLimit(most, loopback_is_free=False))


def test_an_address_gets_so_many_connections_and_not_one_more() -> None:
    async def scenario() -> None:
        app = Recorder()
        async with serving(app, limits=few(3)) as (port, _):
            held = [await connect(port) for _ in range(3)]
            assert [await ask(one) for one in held] == [b"HTTP/1.1 200 OK"] * 3
            reader, writer = await connect(port)
            refusal = await asyncio.wait_for(reader.read(), 5)
            assert refusal.startswith(b"HTTP/1.1 429 ")
            assert b"connection: close" in refusal
            assert await ask(held[0]) == b"HTTP/1.1 200 OK"
            for _, one in [*held, (reader, writer)]:
                one.close()
        assert len(app.scopes) == 4

    run(scenario)


def test_the_connections_of_one_address_leave_room_for_another() -> None:
    async def scenario() -> None:
        async with serving(Recorder(), limits=few(2)) as (port, _):
            held = [await connect(port) for _ in range(2)]
            assert [await ask(one) for one in held] == [b"HTTP/1.1 200 OK"] * 2
            other = await connect(port, "127.0.0.2")
            assert await ask(other) == b"HTTP/1.1 200 OK"
            for _, one in [*held, other]:
                one.close()

    run(scenario)


def test_a_connection_that_ends_makes_room_and_leaves_nothing_behind() -> None:
    async def scenario() -> None:
        left = asyncio.Event()

        class Watched(AddressLimit):
            def leave(self, key: str) -> None:
                super().leave(key)
                left.set()

        limit = Watched(1, loopback_is_free=False)
        async with serving(Recorder(), limits=Limits(2048, PATIENT, limit)) as (port, _):
            for _ in range(5):
                one = await connect(port)
                assert await ask(one) == b"HTTP/1.1 200 OK"
                one[1].close()
                await asyncio.wait_for(left.wait(), 5)
                left.clear()
            assert len(limit) == 0

    run(scenario)


def test_a_connection_turned_away_gives_back_no_place_that_it_never_had() -> None:
    async def scenario() -> None:
        async with serving(Recorder(), limits=few(1)) as (port, _):
            held = await connect(port)
            assert await ask(held) == b"HTTP/1.1 200 OK"
            for _ in range(5):
                reader, writer = await connect(port)
                assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 429 ")
                writer.close()
            held[1].close()

    run(scenario)


def test_the_machines_own_addresses_are_not_counted() -> None:
    async def scenario() -> None:
        limits = Limits(2048, PATIENT, AddressLimit(1))
        async with serving(Recorder(), limits=limits) as (port, _):
            held = [await connect(port) for _ in range(4)]
            assert [await ask(one) for one in held] == [b"HTTP/1.1 200 OK"] * 4
            for _, one in held:
                one.close()

    run(scenario)


def test_addresses_of_one_64_count_as_one() -> None:
    limit = AddressLimit(2)
    first = limit.enter("2001:db8::1")
    assert first is not None
    assert limit.enter("2001:db8::2") is not None
    assert limit.enter("2001:db8::3") is None
    assert limit.enter("2001:db8:0:1::1") is not None
    limit.leave(first)
    assert limit.enter("2001:db8::3") is not None


@pytest.mark.parametrize(("behind_proxy", "limited"), [(False, True), (True, False)])
def test_connections_are_counted_by_address_unless_a_proxy_stands_for_all(behind_proxy: bool, limited: bool) -> None:
    server = {"behind_proxy": behind_proxy, "max_connections_per_address": 1}
    settings = Settings.model_validate({"issuer": "https://auth.example.com", "server": server})
    limit = protocol_of(api_server(Recorder(), settings, api_limits(settings))).limits.per_address
    assert (limit is not None) == limited
    if limit is not None:
        assert [limit.enter("192.0.2.7") is not None for _ in range(2)] == [True, False]


def test_the_management_address_refuses_more_than_its_connections() -> None:
    async def scenario() -> None:
        settings = Settings.model_validate({"issuer": "https://auth.example.com", "management": {"max_connections": 3}})
        server = management_server(Recorder(), settings)
        sockets = bind("127.0.0.1", 0)
        task = asyncio.create_task(server.serve(sockets=sockets))
        await server.ready.wait()
        port = sockets[0].getsockname()[1]
        held = [await connect(port) for _ in range(2)]
        assert [await ask(one) for one in held] == [b"HTTP/1.1 200 OK"] * 2
        answer = await exchange(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503 ")
        for _, one in held:
            one.close()
        server.should_exit = True
        await task

    run(scenario)


def protocol_of(server: StoppableServer) -> type[OstiaryHttpProtocol]:
    server.config.load()
    protocol = server.config.http_protocol_class
    assert issubclass(protocol, OstiaryHttpProtocol)
    return protocol
