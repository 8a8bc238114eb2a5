"""uvicorn's HTTP/1.1 protocol with limits on header and time, the client's certificate, and a gentle stop.

uvicorn over httptools knows no limit of the header section and no time limit of a request; no server hands the
client's certificate to the application. The version is pinned; ``tests/serving/test_http_protocol.py`` holds it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NoReturn

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from ostiary.authorization_server.event_stream import CONNECTION, PUSH
from ostiary.authorization_server.http import WHOLE_RESPONSE
from ostiary.serving.connections import AddressLimit

DRAIN_SECONDS = 0.25  # an idle connection is kept so long at a stop: a request may already be on its way
LINGER_SECONDS = 1.0  # at a stop: how long a peer over TLS may take to say that it has seen the connection's end


@dataclass(frozen=True, slots=True)
class Limits:
    """max_header_bytes: request line and header section; request_timeout: seconds to receive a whole request.

    per_address: how many connections one address may have; None: as many as it likes.
    """

    max_header_bytes: int = 16_384
    request_timeout: float = 10.0
    per_address: AddressLimit | None = None


class _HeaderRefused(Exception):
    """Raised inside a parser callback to end the parsing."""


class OstiaryHttpProtocol(HttpToolsProtocol):
    """One connection. ``scope["extensions"]["tls"]["client_certificate"]`` is DER bytes or None, on TLS only."""

    limits: ClassVar[Limits] = Limits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._receiving_header = True
        self._receiving = False
        self._header_bytes = 0
        self._rejection: int | None = None
        self._receive_timer: asyncio.TimerHandle | None = None
        self._draining = False
        self._tls: dict[object, object] | None = None
        self.counted: str | None = None  # by its door, if it has come through one
        self._turned_away = False
        self._at_stop: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self._tls = {"client_certificate": tls.getpeercert(binary_form=True), "version": tls.version()}
        self._arm_receive_timer()
        self._count_connection()

    def _count_connection(self) -> None:
        """Refuse at once what is one connection too many, before it has sent anything: RFC 6585 section 4."""
        limit = self.limits.per_address
        if limit is None or self.client is None or self.counted is not None:
            return
        self.counted = limit.enter(self.client[0])
        if self.counted is None:
            self._turned_away = True
            self._disarm_receive_timer()
            self._reject(429)
            self._close_for_good()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm_receive_timer()
        self._give_back()
        super().connection_lost(exc)

    def give_back_unless_connected(self) -> None:
        """The handshake is over: if it has led to nothing, the connection that was counted for it has ended."""
        if self.transport is None:
            self._give_back()

    def _give_back(self) -> None:
        if self.counted is not None and self.limits.per_address is not None:
            self.limits.per_address.leave(self.counted)
        self.counted = None

    def data_received(self, data: bytes) -> None:
        if self._turned_away:
            return
        if self._receiving_header:
            self._header_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            self._disarm_receive_timer()
        elif self._receiving_header and self._header_bytes > self.limits.max_header_bytes:
            self._reject(431)
        elif self._receiving:
            self._arm_receive_timer()
        else:
            self._disarm_receive_timer()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._receiving = self._receiving_header = True

    def on_headers_complete(self) -> None:
        self._receiving_header = False
        self._header_bytes = 0
        size, hosts = len(self.url), 0
        for name, value in self.headers:
            size += len(name) + len(value) + 4
            hosts += name == b"host"
        if size > self.limits.max_header_bytes:
            self._refuse_header(431)
        # "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that lacks a Host
        # header field and to any request message that contains more than one Host header field line" RFC 9112 3.2
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            self._refuse_header(400)
        super().on_headers_complete()
        extensions: dict[str, object] = {} if self._tls is None else {"tls": self._tls}
        extensions[WHOLE_RESPONSE] = partial(_send_whole, self.cycle)
        extensions[CONNECTION] = self
        extensions[PUSH] = partial(_push, self.cycle)
        self.scope["extensions"] = extensions  # type: ignore[typeddict-item]
        if self._draining and self.cycle is not None:
            self.cycle.keep_alive = False

    def _refuse_header(self, status: int) -> NoReturn:
        self._rejection = status
        raise _HeaderRefused

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._receiving = False
        self._receiving_header = True

    def send_400_response(self, msg: str) -> None:
        if self._rejection is not None:
            self._reject(self._rejection)
        else:
            super().send_400_response(msg)

    def on_stop(self, callback: Callable[[], None] | None) -> None:
        """See ``event_stream.Connection``."""
        if self._draining and callback is not None:
            callback()
        self._at_stop = callback

    def give_up_after(self, seconds: float) -> None:
        """See ``event_stream.Connection``; RFC 5482, where the system has it."""
        option, connected = getattr(socket, "TCP_USER_TIMEOUT", None), self.transport.get_extra_info("socket")
        if option is not None and connected is not None and connected.family in (socket.AF_INET, socket.AF_INET6):
            connected.setsockopt(socket.IPPROTO_TCP, option, int(seconds * 1000))

    def abort(self) -> None:
        """See ``event_stream.Connection``."""
        self.transport.abort()

    def shutdown(self) -> None:
        """Answer what is on its way, then close: a request sent before the stop is not lost."""
        self._draining = True
        if self._at_stop is not None:
            self._at_stop()
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(DRAIN_SECONDS, self._close_if_idle)
        else:
            self.cycle.keep_alive = False

    def _close_if_idle(self) -> None:
        if not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()
            self._close_for_good()

    def _close_for_good(self) -> None:
        """Over TLS a closed connection waits half a minute for its peer's word; we do not."""
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._draining and self.transport.is_closing():
            self._close_for_good()

    def _arm_receive_timer(self) -> None:
        if self._receive_timer is None:
            self._receive_timer = self.loop.call_later(self.limits.request_timeout, self._receive_timed_out)

    def _disarm_receive_timer(self) -> None:
        if self._receive_timer is not None:
            self._receive_timer.cancel()
            self._receive_timer = None

    def _receive_timed_out(self) -> None:
        self._receive_timer = None
        if not self.transport.is_closing():
            self._reject(408)

    def _reject(self, status: int) -> None:
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()


async def _send_whole(
    cycle: RequestResponseCycle, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes
) -> None:
    """What ``cycle.send`` does with the two messages of a response whose length is known, in one write."""
    if cycle.flow.write_paused and not cycle.disconnected:
        await cycle.flow.drain()
    if cycle.disconnected:
        return
    if cycle.response_started:
        raise RuntimeError("the response was sent already")
    lines = [b"%b: %b" % header for header in (*cycle.default_headers, *headers)]
    if not cycle.keep_alive:
        lines.append(b"connection: close")
    head = STATUS_LINE[status] + b"\r\n".join(lines)
    # "a recipient of CR, LF, or NUL within a field value MUST either reject the message or replace each of those
    # characters with SP before further processing" RFC 9110 5.5; we never send one.
    if head.count(b"\n") != len(lines) or head.count(b"\r") != len(lines) or b"\0" in head:
        raise RuntimeError("a control character in a header")
    cycle.response_started = cycle.response_complete = True
    cycle.transport.write(b"%b\r\n\r\n%b" % (head, body))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()


def _push(cycle: RequestResponseCycle, body: bytes) -> bool:
    """What ``cycle.send`` does with a piece of a body that goes on, where it would not have to wait: RFC 9112 7.1.

    False, and nothing is sent, where it would, or where the answer is not one of this form.
    """
    begun = cycle.response_started and cycle.chunked_encoding and not cycle.response_complete
    if not begun or cycle.disconnected or cycle.flow.write_paused:
        return False
    cycle.transport.write(b"%x\r\n%b\r\n" % (len(body), body))
    return True


def limited_protocol(limits: Limits) -> type[OstiaryHttpProtocol]:
    """The protocol class with these limits, as uvicorn's ``http`` setting takes it."""
    return type("LimitedHttpProtocol", (OstiaryHttpProtocol,), {"limits": limits})
