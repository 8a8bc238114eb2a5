"""The generator of load: ``python -m bench.load`` reads an order (JSON) and prints a result (JSON).

A closed loop of keep-alive connections on raw sockets: every connection sends its next request when the answer to the
last one has come. All requests are signed before the clock starts. It ends after a time, or with the last request.
A request may be a browser's: then redirects are followed until they lead to where ``ends_at`` says, and count as one.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from itertools import cycle, islice

import msgspec
import uvloop

from bench.assertions import presigned
from bench.following import follow, location
from ostiary.protocol.jwk import parse_private_key

_LEAD = 0.4
"""Seconds by which the background is ahead, so that the server is busy with it when the clock starts."""


class Order(msgspec.Struct, frozen=True):
    """What to do. key: private JWK, text; wanted: what a good answer's body contains; count: signed requests.

    requests: whole ones, made before, instead of signed ones, the last one first. keep: how many bodies of answers to
    tell. ends_at: the beginning of the address to which a good answer redirects; that is kept in place of a body.
    background: another order, to the same server, that is under way as long as this one is; its own seconds are not
    looked at, and it must not run out of requests. ports: of the nodes to which the connections go in turn; none: to
    ``port`` alone.
    """

    port: int
    path: str
    issuer: str
    client_id: str
    key: str
    form: dict[str, str]
    wanted: str
    seconds: float
    count: int
    connections: int = 32
    tokens: list[str] = []
    keep: int = 0
    requests: list[str] = []
    ends_at: str = ""
    background: Order | None = None
    ports: list[int] = []


class Result(msgspec.Struct, frozen=True):
    """What came of it. Latencies in milliseconds; cpu: seconds that the generator itself used under the clock.

    behind: good answers of the background while the clock ran.
    """

    answered: int
    failed: int
    seconds: float
    cpu: float
    median_ms: float
    p99_ms: float
    first_failure: str
    bodies: list[str]
    behind: int = 0

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return self.answered / self.seconds


class Load:
    """The requests that are left, and what has come back so far."""

    def __init__(self, order: Order, requests: list[bytes]) -> None:
        self.wanted = order.wanted.encode()
        self.keep = order.keep
        self.port = order.port
        self.ends_at = order.ends_at
        self.requests = requests
        self.deadline = 0.0
        self.latencies: list[float] = []
        self.failed = 0
        self.first_failure = ""
        self.bodies: list[str] = []
        self.open = order.connections
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def failure(self, answer: bytes) -> None:
        """Count an answer that is not the wanted one."""
        self.failed += 1
        self.first_failure = self.first_failure or answer[:600].decode(errors="replace")

    def is_good(self, answer: bytes, head: bytes) -> bool:
        """Whether this is the answer that was wanted."""
        if self.ends_at:
            return location(head).startswith(self.ends_at)
        return answer.startswith(b"HTTP/1.1 200") and self.wanted in answer

    def closed(self) -> None:
        """A connection has ended."""
        self.open -= 1
        if self.open == 0 and not self.done.done():
            self.done.set_result(None)


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = b""
        self._request = b""
        self._sent_at = 0.0
        self._waiting = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def send(self) -> None:
        """Send the next request, or end."""
        load = self._load
        if self._transport is None:
            return
        self._sent_at = time.perf_counter()
        if not load.requests or self._sent_at >= load.deadline:
            self._transport.close()
            return
        self._waiting = True
        self._request = load.requests.pop()
        self._transport.write(self._request)

    def data_received(self, received: bytes) -> None:
        buffer = self._buffer + received if self._buffer else received
        end = buffer.find(b"\r\n\r\n")
        length = _content_length(buffer[:end]) if end >= 0 else None
        if length is None or len(buffer) < end + 4 + length:
            self._buffer = buffer
            return
        self._buffer = b""
        load, head = self._load, buffer[:end]
        good = load.is_good(buffer, head)
        if not good and load.ends_at and buffer.startswith((b"HTTP/1.1 302", b"HTTP/1.1 303")) and self._transport:
            self._request = follow(self._request, head, load.port)
            self._transport.write(self._request)
            return
        self._waiting = False
        if good:
            load.latencies.append(time.perf_counter() - self._sent_at)
            if len(load.bodies) < load.keep:
                load.bodies.append(location(head) if load.ends_at else buffer[end + 4 :].decode())
        else:
            load.failure(buffer)
        self.send()

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiting:
            self._load.failure(f"connection lost: {error}".encode())
        self._load.closed()


def _content_length(head: bytes) -> int | None:
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    return None if at < 0 else int(lowered[at + 15 :].split(b"\r\n", 1)[0])


async def run(order: Order) -> Result:
    """Sign, connect, start the clock, send, and count. Raises RuntimeError: the background ran out of requests."""
    load = Load(order, _requests(order))
    behind = None if order.background is None else Load(order.background, _requests(order.background))
    connections = await _connected(order, load)
    if order.background is not None and behind is not None:
        _send(await _connected(order.background, behind), behind, until=float("inf"))
        await asyncio.sleep(_LEAD)
    before = 0 if behind is None else len(behind.latencies)
    used, started = _cpu(), time.perf_counter()
    _send(connections, load, until=started + order.seconds)
    async with asyncio.timeout(order.seconds + 20):
        await load.done
    seconds, cpu = time.perf_counter() - started, _cpu() - used
    after = 0 if behind is None else await _ended(behind)
    ordered = sorted(load.latencies) or [0.0]
    return Result(
        answered=len(load.latencies),
        failed=load.failed + (0 if behind is None else behind.failed),
        seconds=seconds,
        cpu=cpu,
        median_ms=1000 * ordered[len(ordered) // 2],
        p99_ms=1000 * ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
        first_failure=load.first_failure or ("" if behind is None else behind.first_failure),
        bodies=load.bodies,
        behind=after - before,
    )


async def _connected(order: Order, load: Load) -> list[Connection]:
    loop = asyncio.get_running_loop()
    ports = islice(cycle(order.ports or [order.port]), order.connections)
    pairs = [await loop.create_connection(lambda: Connection(load), "127.0.0.1", port) for port in ports]
    return [connection for _, connection in pairs]


def _send(connections: list[Connection], load: Load, *, until: float) -> None:
    load.deadline = until
    for connection in connections:
        connection.send()


async def _ended(behind: Load) -> int:
    """How many good answers the background had until now; what is under way is waited for and not counted."""
    if not behind.requests:
        raise RuntimeError("the background ran out of requests: make more ready")
    answered, behind.deadline = len(behind.latencies), 0.0
    async with asyncio.timeout(30):
        await behind.done
    return answered


def _requests(order: Order) -> list[bytes]:
    return [one.encode("latin-1") for one in order.requests] or _signed(order)


def _signed(order: Order) -> list[bytes]:
    key = parse_private_key(order.key)
    bodies = presigned(key, order.client_id, order.issuer, order.form, order.tokens, order.count)
    head = f"POST {order.path} HTTP/1.1\r\nhost: localhost:{order.port}\r\n"
    head += "content-type: application/x-www-form-urlencoded\r\naccept: application/json\r\ncontent-length: "
    return [b"%s%d\r\n\r\n%s" % (head.encode(), len(body), body) for body in bodies]


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Read the order on standard input, write the result on standard output."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    told = msgspec.json.encode(uvloop.run(run(order)))
    # With PYTHONUNBUFFERED, sys.stdout.buffer may write a part only; a buffered writer goes on until all is written.
    with open(sys.stdout.fileno(), "wb", closefd=False) as output:
        output.write(told)


if __name__ == "__main__":
    main()
