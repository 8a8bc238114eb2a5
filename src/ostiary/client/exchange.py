"""Questions over HTTP and their answers, as generators without I/O, and the two shells that drive them.

A step of the client (discovery, a token request, a revocation) yields each ``Question`` and is sent its ``Answer``. The
shells hold every rule of the way: no redirect is followed, the answer is capped in octets and in seconds, nothing is
decompressed, the server's certificate is verified (standards 120), no cookie is kept.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import httpx2

from ostiary.errors import ConfigurationError, Unavailable

MAX_BYTES = 65_536
# Plain http is for loopback alone, and so never goes through a proxy that the environment names.
_NO_PROXY: Mapping[str, None] = {"http://": None}
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "ostiary-client"}


@dataclass(frozen=True, slots=True)
class Question:
    """One request. form: sent urlencoded by POST; headers: further ones, such as ``Authorization``.

    The representation of both is hidden: they hold tokens, assertions and secrets.
    """

    url: str
    purpose: str
    form: Mapping[str, str] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, headers by lower-case name, octets. The body is hidden, it may hold a token."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


T = TypeVar("T")
Exchange = Generator[Question, Answer, T]
"""A step of the client that needs answers and ends with a result of type T."""


class Shell:
    """Drives exchanges.

    tls: the TLS context for outgoing calls (default: the system's trust store); one that verifies nothing is refused.
    timeout: seconds for one question, all in all.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        timeout: float = 10.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        # "The server certificate is verified on every outgoing call" (FAPI 2.0 5.2.1, BCP 195).
        if tls is not None and (tls.verify_mode is not ssl.CERT_REQUIRED or not tls.check_hostname):
            raise ConfigurationError(
                "The TLS context must verify certificate and host name; add your CA to it instead."
            )
        self._tls = tls
        self._timeout = timeout
        self._monotonic = monotonic

    def run(self, exchange: Exchange[T]) -> T:
        """Drive ``exchange`` with blocking I/O. Raises what it raises, and Unavailable where no answer comes."""
        with httpx2.Client(verify=self._context(), timeout=self._timeout, mounts=dict(_NO_PROXY)) as http:
            question = _step(exchange, None)
            while not isinstance(question, _Ended):
                question = _step(exchange, self._ask(http, question))
        return question.result

    async def run_async(self, exchange: Exchange[T]) -> T:
        """Drive ``exchange`` with asynchronous I/O, as ``run`` does."""
        mounts = dict(_NO_PROXY)
        async with httpx2.AsyncClient(verify=self._context(), timeout=self._timeout, mounts=mounts) as http:
            question = _step(exchange, None)
            while not isinstance(question, _Ended):
                question = _step(exchange, await self._ask_async(http, question))
        return question.result

    def _ask(self, http: httpx2.Client, question: Question) -> Answer:
        body = _Body(question, self._timeout, self._monotonic)
        try:
            sent = http.send(_request(http, question), stream=True, auth=None, follow_redirects=False)
            with closing(sent) as response:
                for chunk in response.iter_raw():
                    body.add(chunk)
                return body.answer(response)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _no_answer(question, error) from error

    async def _ask_async(self, http: httpx2.AsyncClient, question: Question) -> Answer:
        body = _Body(question, self._timeout, self._monotonic)
        try:
            sent = await http.send(_request(http, question), stream=True, auth=None, follow_redirects=False)
            async with aclosing(sent) as response:
                async for chunk in response.aiter_raw():
                    body.add(chunk)
                return body.answer(response)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _no_answer(question, error) from error

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = httpx2.create_ssl_context()
        return self._tls


@dataclass(frozen=True, slots=True)
class _Ended(Generic[T]):
    result: T


def _step(exchange: Exchange[T], answer: Answer | None) -> Question | _Ended[T]:
    try:
        return next(exchange) if answer is None else exchange.send(answer)
    except StopIteration as end:
        return _Ended(end.value)


class _Body:
    """Collects an answer, within its limits of octets and of seconds."""

    def __init__(self, question: Question, timeout: float, monotonic: Callable[[], float]) -> None:
        self._question = question
        self._monotonic = monotonic
        self._deadline = monotonic() + timeout
        self._octets = bytearray()

    def add(self, chunk: bytes) -> None:
        self._octets += chunk
        if len(self._octets) > MAX_BYTES:
            raise Unavailable(self._question.purpose, f"an answer of more than {MAX_BYTES} octets")
        if self._monotonic() > self._deadline:
            raise Unavailable(self._question.purpose, "the answer takes too long")

    def answer(self, response: httpx2.Response) -> Answer:
        return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, bytes(self._octets))


def _request(http: httpx2.Client | httpx2.AsyncClient, question: Question) -> httpx2.Request:
    method = "GET" if question.form is None else "POST"
    return http.build_request(method, question.url, data=question.form, headers={**_HEADERS, **question.headers})


def _no_answer(question: Question, error: Exception) -> Unavailable:
    # The text of a transport error names hosts and system errors, never what was sent.
    return Unavailable(question.purpose, f"{type(error).__name__} at {question.url.split('?', 1)[0]}: {error}")
