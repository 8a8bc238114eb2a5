"""The way to the authorization server: TLS verified, no redirects, no proxies, no cookies, size and time capped."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache, cached_property
from typing import Protocol
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import httpx2
import msgspec

from ostiary.errors import ConfigurationError, Unavailable

EVENT_STREAM = "text/event-stream"
MAX_BYTES = 262_144
TIMEOUT = 5.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class HttpRequest(msgspec.Struct, frozen=True):
    """A GET, or a POST of ``form`` (application/x-www-form-urlencoded). accept: the media type that is wanted."""

    url: str
    form: dict[str, str] | None = None
    accept: str = "application/json"


class HttpResponse(msgspec.Struct, frozen=True):
    """An answer, whatever its status. headers: names in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


class HttpStream(msgspec.Struct, frozen=True):
    """An answer that is read while it comes. chunks: its body; headers: names in lower case."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


class HttpPort(Protocol):
    """Sends one request, from an event loop or from a thread. Raises Unavailable if no whole answer comes in time."""

    async def send(self, request: HttpRequest) -> HttpResponse: ...
    def send_sync(self, request: HttpRequest) -> HttpResponse: ...


class StreamingHttpPort(HttpPort, Protocol):
    """Reads answers that go on for ever, too; how long to wait for the next octets is up to the reader.

    aclose: closes what was opened from the running event loop.
    """

    def stream(self, request: HttpRequest) -> AbstractAsyncContextManager[HttpStream]: ...
    async def aclose(self) -> None: ...


def checked_url(url: str) -> str:
    """``url`` if keys and tokens may travel there: https, or http to loopback. Raises ConfigurationError."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return url
    raise ConfigurationError(f"The URL {url[:200]} must begin with https://; http is for loopback only.")


class Http:
    """The port over ``httpx2``, with connections kept open for each event loop and for the threads.

    tls: how certificates are verified, such as a context with a private authority; the system's trust by default.
    timeout: seconds for a whole exchange; max_bytes: of an answer's body.
    """

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, timeout: float = TIMEOUT, max_bytes: int = MAX_BYTES
    ) -> None:
        self._given_tls = tls
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._loops: WeakKeyDictionary[AbstractEventLoop, httpx2.AsyncClient] = WeakKeyDictionary()
        self._threads: dict[int, httpx2.Client] = {}

    async def send(self, request: HttpRequest) -> HttpResponse:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._send(request)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise _unavailable(request, error) from error

    def send_sync(self, request: HttpRequest) -> HttpResponse:
        ends = time.monotonic() + self._timeout
        client = self._client()
        try:
            with client.stream(
                _method(request), request.url, data=request.form, headers={"Accept": request.accept}
            ) as response:
                body = bytearray()
                for chunk in response.iter_raw():
                    self._collect(body, chunk, request)
                    if time.monotonic() > ends:
                        raise Unavailable("issuer", f"{_place(request)} answers too slowly")
                return _response(response, body, request)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise _unavailable(request, error) from error
        finally:
            client.cookies.clear()

    @asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncIterator[HttpStream]:
        client = self._loop_client()
        headers, timeout = {"Accept": EVENT_STREAM}, httpx2.Timeout(self._timeout, read=None)
        try:
            async with client.stream(
                _method(request), request.url, data=request.form, headers=headers, timeout=timeout
            ) as response:
                names = _headers(response, request)
                yield HttpStream(response.status_code, names, response.aiter_raw())
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise _unavailable(request, error) from error
        finally:
            client.cookies.clear()

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        client = self._loops.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    async def _send(self, request: HttpRequest) -> HttpResponse:
        client = self._loop_client()
        try:
            async with client.stream(
                _method(request), request.url, data=request.form, headers={"Accept": request.accept}
            ) as response:
                body = bytearray()
                async for chunk in response.aiter_raw():
                    self._collect(body, chunk, request)
                return _response(response, body, request)
        finally:
            client.cookies.clear()

    def _collect(self, body: bytearray, chunk: bytes, request: HttpRequest) -> None:
        body += chunk
        if len(body) > self._max_bytes:
            raise Unavailable("issuer", f"{_place(request)} answers more than {self._max_bytes} octets")

    def _loop_client(self) -> httpx2.AsyncClient:
        loop = asyncio.get_running_loop()
        client = self._loops.get(loop)
        if client is None:
            client = httpx2.AsyncClient(verify=self._tls, timeout=self._timeout, trust_env=False, headers=_HEADERS)
            self._loops[loop] = client
        return client

    def _client(self) -> httpx2.Client:
        # One for each process: two that share a connection after a fork would read one another's answers.
        client = self._threads.get(os.getpid())
        if client is None:
            made = httpx2.Client(verify=self._tls, timeout=self._timeout, trust_env=False, headers=_HEADERS)
            client = self._threads.setdefault(os.getpid(), made)
        return client

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self._given_tls or _system_trust()


@cache
def _system_trust() -> ssl.SSLContext:
    # Reading the system's authorities takes some 30 ms, so it is done once a process.
    return httpx2.create_ssl_context()


_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "ostiary"}


def _response(response: httpx2.Response, body: bytearray, request: HttpRequest) -> HttpResponse:
    return HttpResponse(response.status_code, bytes(body), _headers(response, request))


def _headers(response: httpx2.Response, request: HttpRequest) -> dict[str, str]:
    # What was asked for uncompressed is never inflated: a small answer cannot become a large one.
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Unavailable("issuer", f"{_place(request)} answers compressed, unasked")
    return {name.lower(): value for name, value in response.headers.items()}


def _method(request: HttpRequest) -> str:
    return "GET" if request.form is None else "POST"


def _unavailable(request: HttpRequest, error: Exception) -> Unavailable:
    return Unavailable("issuer", f"{_place(request)}: {type(error).__name__}")


def _place(request: HttpRequest) -> str:
    return request.url.split("?", 1)[0]
