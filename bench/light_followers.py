"""Many followers of the revocation feed in one thread: raw sockets that look for the position of each message alone.

A real one also verifies the signature, a tenth of a millisecond for each process of an API on whatever core it has. A
thousand of them on the one core that is left here would measure that core.
"""

from __future__ import annotations

import json
import secrets
import select
import socket
import time
from urllib.parse import urlencode

from bench.assertions import presigned
from ostiary.protocol import base64url
from ostiary.protocol.jwk import SigningKey

_PATIENCE = 30.0
_DATA, _END = b"data: ", b"\n\n"


class LightFollowers:
    """Connected, and past their first message, once made. position: of the log, where they all stood then."""

    def __init__(self, port: int, key: SigningKey, client_id: str, issuer: str, count: int) -> None:
        self._port = port
        self._known: dict[bytes, tuple[int, int]] = {}  # what one message says, it says to all
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._rests: dict[int, bytes] = {}
        self._reached: dict[int, int] = {}
        self.position = 0
        nonces = [secrets.token_urlsafe(16) for _ in range(count)]
        bodies = presigned(key, client_id, issuer, {}, [], count)
        for body, nonce in zip(bodies, nonces, strict=True):
            self._connect(body + b"&" + urlencode({"nonce": nonce}).encode())

    def _connect(self, body: bytes) -> None:
        """One after the other: what is measured is not how fast they come."""
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=_PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = (
            f"POST /revocations HTTP/1.1\r\nhost: localhost:{self._port}\r\naccept: text/event-stream\r\n"
            f"content-type: application/x-www-form-urlencoded\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        number = connection.fileno()
        self._sockets[number] = connection
        self._rests[number] = b""
        while self._reached.get(number, -1) < self.position:
            self._take(number)  # page after page, up to the head of the log
        connection.setblocking(False)
        self._poll.register(number, select.EPOLLIN)

    def wait_for(self, position: int) -> list[float]:
        """At which moment (``time.perf_counter``) each of them knew the log up to ``position``."""
        moments: list[float] = []
        if max(self._reached.values()) >= position:
            raise RuntimeError(f"a follower has heard of {position} before it was there")
        gives_up = time.perf_counter() + _PATIENCE
        while len(moments) < len(self._reached):
            for number, _ in self._poll.poll(_PATIENCE):
                before = self._reached[number]
                self._take(number)
                if before < position <= self._reached[number]:
                    moments.append(time.perf_counter())
            if time.perf_counter() > gives_up:
                raise RuntimeError(f"{len(self._reached) - len(moments)} followers have not heard of {position}")
        return moments

    def _take(self, number: int) -> None:
        received = self._sockets[number].recv(65_536)
        if not received:
            raise RuntimeError(f"the server has ended a stream: {self._rests[number][:400]!r}")
        *events, self._rests[number] = (self._rests[number] + received).split(_END)
        for event in events:
            _, found, message = event.partition(_DATA)
            if found:
                self._reached[number], head = self._range_of(message)
                self.position = max(self.position, head)

    def _range_of(self, message: bytes) -> tuple[int, int]:
        """Up to where the follower knows the log after this message, and where the log stood."""
        known = self._known.get(message)
        if known is None:
            payload = json.loads(base64url.decode(message.split(b".")[1]))
            known = self._known[message] = (int(payload["end"]), int(payload["head"]))
        return known

    def close(self) -> None:
        """Leave."""
        self._poll.close()
        for connection in self._sockets.values():
            connection.close()
