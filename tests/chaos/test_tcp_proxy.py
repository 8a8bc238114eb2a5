"""The proxy that the faults are made by does what it says, so that a fault in a test is one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.real_parts.tcp_proxy import TcpProxy


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]


def _accept(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_echo, args=(connection,), daemon=True).start()


def _echo(connection: socket.socket) -> None:
    with connection:
        try:
            while piece := connection.recv(100):
                connection.sendall(piece)
        except OSError:
            return


def opened(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def said_back(connection: socket.socket, word: bytes) -> bytes:
    connection.sendall(word)
    return connection.recv(100)


def test_in_fair_weather_everything_passes(echo: int) -> None:
    with TcpProxy(echo) as proxy, opened(proxy) as connection:
        assert said_back(connection, b"hello") == b"hello"


def test_what_a_silent_network_holds_back_passes_afterwards_on_the_same_connection(echo: int) -> None:
    with TcpProxy(echo) as proxy, opened(proxy) as connection:
        assert said_back(connection, b"one") == b"one"
        proxy.silent()
        connection.sendall(b"two")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(100)
        proxy.fair()
        connection.settimeout(5)
        assert connection.recv(100) == b"two"


def test_a_cut_resets_what_is_open_and_what_comes(echo: int) -> None:
    with TcpProxy(echo) as proxy, opened(proxy) as connection:
        assert said_back(connection, b"one") == b"one"
        proxy.cut()
        with pytest.raises(ConnectionError):
            _use(connection)
        with pytest.raises(ConnectionError), opened(proxy) as another:
            _use(another)
        proxy.fair()
        with opened(proxy) as third:
            assert said_back(third, b"three") == b"three"


def test_a_slow_network_takes_its_time_and_loses_nothing(echo: int) -> None:
    with TcpProxy(echo) as proxy, opened(proxy) as connection:
        proxy.slow(0.05)
        assert said_back(connection, b"late") == b"late"


def _use(connection: socket.socket) -> None:
    if said_back(connection, b"word") == b"":
        raise ConnectionResetError("closed")
