"""A real TLS server on loopback that answers what a test wants, a resolver that counts, and a certificate authority."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache

import trustme

from ostiary.fetching.guarded import GuardedFetcher

NAME = "keys.example.com"
LOOPBACK = ("127.0.0.0/8",)
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@cache
def authority() -> trustme.CA:
    return trustme.CA()


@cache
def trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority().configure_trust(context)
    return context


@dataclass
class Server:
    """What was asked of it: one text a request; connections counts also those that sent nothing."""

    port: int = 0
    requests: list[str] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.port}/jwks?x=1"


def reply(body: bytes = b"{}", status: str = "200 OK", *headers: str) -> Answer:
    """A whole answer at once."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
        writer.write("\r\n".join(head).encode() + body)
        await writer.drain()

    return answer


@asynccontextmanager
async def server(
    answer: Answer | None = None, *, names: Sequence[str] = (NAME,), tls: bool = True
) -> AsyncIterator[Server]:
    """A server on 127.0.0.1 with a certificate for ``names``."""
    state = Server()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority().issue_cert(*names).configure_cert(context)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.connections += 1
        try:
            state.requests.append((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
            await (answer or reply())(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context if tls else None)
    state.port = listening.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        listening.close()


class Resolver:
    """Gives its answers one after the other, the last for good; counts the questions."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers) or [["127.0.0.1"]]
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


def fetcher(resolver: Resolver | None = None, **changes: object) -> GuardedFetcher:
    """A fetcher that may reach loopback and trusts the test's authority."""
    settings: dict[str, object] = {"allow_networks": LOOPBACK, "ssl_context": trust(), "timeout": 3.0}
    return GuardedFetcher(resolver=resolver or Resolver(), **{**settings, **changes})  # type: ignore[arg-type]
