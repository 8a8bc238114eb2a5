"""Over real sockets: the handshake is bounded, counted and told of, and each one uses the context of its moment."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

import pytest
import uvloop

from ostiary.serving.connections import AddressLimit
from tests.serving.certificates import issue
from tests.serving.tls_house import GET, House, loaded, trusting, until


@pytest.fixture(params=["uvloop", "asyncio"])
def runner(request: pytest.FixtureRequest) -> asyncio.Runner:
    return asyncio.Runner(loop_factory=uvloop.new_event_loop if request.param == "uvloop" else None)


def test_a_connection_keeps_what_it_began_with_and_the_next_one_gets_the_new_certificate(
    runner: asyncio.Runner,
) -> None:
    async def go() -> None:
        house, second = House(), issue("second")
        async with house.open():
            reader, writer = await house.connect(trusting(house.issued))
            house.tls.take(loaded(second))
            writer.write(GET)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            with pytest.raises(ssl.SSLCertVerificationError):
                await house.connect(trusting(house.issued))
            later, other = await house.connect(trusting(second))
            other.write(GET)
            assert (await later.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            writer.write(GET)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            writer.close()
            other.close()

    runner.run(go())


def test_what_is_sent_right_behind_the_handshake_is_not_lost(runner: asyncio.Runner) -> None:
    async def go() -> None:
        house = House()
        async with house.open():
            for _ in range(30):
                reader, writer = await house.connect(trusting(house.issued))
                writer.write(GET)
                writer.write_eof() if writer.can_write_eof() else None
                assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
                writer.close()
        assert {scope["scheme"] for scope in house.app.scopes} == {"https"}

    runner.run(go())


def test_a_handshake_that_never_ends_is_cut_and_told_of(runner: asyncio.Runner) -> None:
    async def go() -> None:
        house = House(timeout=0.1)
        async with house.open() as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
            writer.write(b"\x16\x03\x01")
            async with asyncio.timeout(5):
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b""
            writer.close()
            assert not server.server_state.connections
        [(address, error)] = house.failed
        assert address == "127.0.0.1"
        assert isinstance(error, ConnectionAbortedError | TimeoutError)

    runner.run(go())


def test_a_peer_that_only_hangs_up_is_no_failure(runner: asyncio.Runner) -> None:
    async def go() -> None:
        house = House()
        async with house.open() as server:
            _, writer = await asyncio.open_connection("127.0.0.1", house.port)
            writer.close()
            await writer.wait_closed()
            async with asyncio.timeout(5):
                await until(lambda: not (server.server_state.connections))
        assert house.failed == []

    runner.run(go())


def test_connections_count_before_their_handshake_and_count_once(runner: asyncio.Runner) -> None:
    async def go() -> None:
        limit = AddressLimit(2, loopback_is_free=False)
        house = House(limit=limit)
        async with house.open() as server:
            trust = trusting(house.issued)
            reader, kept = await house.connect(trust)
            _, silent = await asyncio.open_connection("127.0.0.1", house.port)
            async with asyncio.timeout(5):
                await until(lambda: not (len(server.server_state.connections) < 2))
                with pytest.raises((ConnectionError, ssl.SSLError)):
                    await house.connect(trust)
                _, other = await house.connect(trust, "127.0.0.2")
                silent.close()
                await until(lambda: not (len(server.server_state.connections) > 2))
                _, again = await house.connect(trust)
            kept.write(GET)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            for writer in (kept, other, again):
                writer.close()
            async with asyncio.timeout(5):
                await until(lambda: not (len(limit)))

    runner.run(go())


def test_an_old_version_is_refused_and_the_reason_known(runner: asyncio.Runner) -> None:
    async def go() -> None:
        house = House()
        async with house.open():
            old = trusting(house.issued)
            old.set_ciphers("DEFAULT:@SECLEVEL=0")
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
            with pytest.raises(ssl.SSLError, match="alert protocol version"):
                await house.connect(old)
        [(_, error)] = house.failed
        assert isinstance(error, ssl.SSLError)
        assert error.reason == "UNSUPPORTED_PROTOCOL"

    runner.run(go())


def test_a_stop_does_not_wait_for_a_handshake(runner: asyncio.Runner) -> None:
    async def go() -> None:
        house = House(timeout=60)
        async with asyncio.timeout(5), house.open() as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
            await until(lambda: bool(server.server_state.connections))
            server.should_exit = True
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()

    runner.run(go())
