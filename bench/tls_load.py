"""``python -m bench.tls_load``: load over TLS, told on standard input; handshakes, or requests on kept connections."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
import time

import msgspec


class TlsOrder(msgspec.Struct):
    """requests: sent in turn on connections that are kept; none: each connection ends after its handshake.

    certificate: a PEM file with key and certificate to show, "" for none. wanted: stands in every good answer.
    """

    port: int
    trust: str
    certificate: str
    seconds: float
    requests: list[str] = []
    wanted: str = ""
    connections: int = 4


class TlsResult(msgspec.Struct):
    """What was done in ``seconds``."""

    done: int
    seconds: float
    failure: str = ""


def run(order: TlsOrder) -> TlsResult:
    """Load the server with as many connections as the order says."""
    context = ssl.create_default_context(cafile=order.trust)
    if order.certificate:
        context.load_cert_chain(order.certificate)
    turns = iter(list(order.requests))
    lock, counts, failures = threading.Lock(), [0] * order.connections, list[str]()
    began = time.perf_counter()
    until = began + order.seconds

    def following() -> bytes | None:
        with lock:
            found = next(turns, None)
        return None if found is None else found.encode("ascii")

    def handshakes(number: int) -> None:
        while time.perf_counter() < until:
            with _connected(order.port, context) as connection:
                connection.settimeout(10)
                counts[number] += 1

    def requests(number: int) -> None:
        with _connected(order.port, context) as connection:
            while time.perf_counter() < until and (request := following()) is not None:
                connection.sendall(request)
                if order.wanted.encode() not in (answer := _answer(connection)):
                    failures.append(answer.decode("utf-8", "replace"))
                    return
                counts[number] += 1

    threads = [
        threading.Thread(target=requests if order.requests else handshakes, args=(number,))
        for number in range(order.connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return TlsResult(sum(counts), time.perf_counter() - began, failures[0] if failures else "")


def _connected(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection(("localhost", port), timeout=10)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain, server_hostname="localhost")


def _answer(connection: ssl.SSLSocket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < length:
        body += _more(connection)
    return head + b"\r\n\r\n" + body


def _more(connection: ssl.SSLSocket) -> bytes:
    chunk = connection.recv(65_536)
    if not chunk:
        raise ConnectionError("the server closed the connection")
    return chunk


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(run(msgspec.json.decode(sys.stdin.buffer.read(), type=TlsOrder))))
