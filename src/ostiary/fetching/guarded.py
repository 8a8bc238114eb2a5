"""The guarded fetcher: talks to a URL that somebody else chose, and cannot be sent anywhere else.

RFC 8725bis 3.10, OWASP ASVS 13.2.4: https only, no redirect, the name resolved once and the connection pinned to the
checked address, special-use addresses refused unless the operator allows their network, header, size and total time
capped, no cookies, no proxy of the environment, the certificate verified by the name of the URL.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import httpcore2

from ostiary.errors import ConfigurationError, Unavailable
from ostiary.fetching.addresses import Address, Network, allows_loopback, check_address, parse_resolved
from ostiary.fetching.pinned import PinnedBackend
from ostiary.fetching.refusal import FetchRefused
from ostiary.fetching.target import Target, parse_target

__all__ = ["Content", "FetchRefused", "Fetched", "GuardedFetcher", "Resolver"]

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""All addresses of a name, as text. Raises OSError when there is none."""

MAX_HEADER_BYTES = 16_384
MAX_AT_ONCE = 16
_PART = "fetching"


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answer: never a redirect. headers: names in lower case, the last of each."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent by POST, of any media type."""

    body: bytes
    media_type: str


class GuardedFetcher:
    """Gets a document, or posts a form or something else.

    allow_networks: networks beyond the public internet, for every purpose or by purpose; allow_http: also plain http.
    resolver: injected by tests; ssl_context: for a certificate authority of the operator's own.
    max_bytes: of the body; timeout: seconds for everything, from the resolver to the last byte.
    """

    def __init__(
        self,
        *,
        allow_networks: Sequence[str] | Mapping[str, Sequence[str]] = (),
        allow_http: bool = False,
        resolver: Resolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
        max_bytes: int = 65_536,
        timeout: float = 5.0,
    ) -> None:
        by_purpose = allow_networks if isinstance(allow_networks, Mapping) else {"": allow_networks}
        self._allowed = {purpose: _networks(networks) for purpose, networks in by_purpose.items()}
        self._allow_http = allow_http
        self._resolver = resolver or resolve
        self._ssl_context = ssl_context
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._at_once = asyncio.Semaphore(MAX_AT_ONCE)

    async def post(self, url: str, form: Mapping[str, str], *, purpose: str) -> Fetched:
        """What answers ``form`` at ``url``, under the rules of ``fetch`` and with its errors."""
        return await self.fetch(url, purpose=purpose, form=form)

    async def fetch(
        self,
        url: str,
        *,
        purpose: str,
        form: Mapping[str, str] | None = None,
        content: Content | None = None,
        authorization: str = "",
        method: str = "",
    ) -> Fetched:
        """What stands at ``url``. purpose: what it is for, such as ``"client_keys"``; form, content: sent by POST.

        method: another one, such as ``"PATCH"``.
        authorization: the header of that name (RFC 9110 section 11.6.2), "" for none; no redirect carries it on.

        Raises FetchRefused: the URL, an address behind it or the answer breaks a rule. Raises Unavailable: no answer,
        none in time, or a certificate that does not verify.
        """
        target = parse_target(url, allow_http=self._allow_http)
        allowed = self._allowed.get("", ()) + self._allowed.get(purpose, ())
        try:
            async with asyncio.timeout(self._timeout), self._at_once:
                addresses = await self._addresses(target, allowed)
                return await self._ask(target, addresses, _sent(form, content), authorization, method)
        except TimeoutError:
            raise Unavailable(_PART, f"{target.authority} gave no whole answer in {self._timeout} s") from None
        except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, OSError) as error:
            raise Unavailable(_PART, f"{target.authority}: {type(error).__name__} {error}"[:200]) from None

    async def _addresses(self, target: Target, allowed: Sequence[Network]) -> list[Address]:
        if target.is_localhost and not allows_loopback(allowed):
            raise FetchRefused(f"the name {target.host} is this machine's own", mend="publish at a public name")
        if target.address is not None:
            addresses = [target.address]
        else:
            addresses = parse_resolved(await self._resolver(target.host, target.port))
        if not addresses:
            raise Unavailable(_PART, f"{target.host} has no address")
        for address in addresses:  # one bad address among good ones is an attempt, not an accident
            check_address(address, allowed)
        return addresses

    async def _ask(
        self, target: Target, addresses: list[Address], sent: Content | None, authorization: str, method: str
    ) -> Fetched:
        url = httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        headers = [
            ("Host", target.authority),
            ("Accept", "application/json, */*;q=0.1"),
            ("Accept-Encoding", "identity"),
            ("User-Agent", "ostiary"),
            ("Connection", "close"),
        ]
        if authorization:
            headers.append(("Authorization", authorization))
        body = None if sent is None else sent.body
        if sent is not None:
            headers += [("Content-Type", sent.media_type), ("Content-Length", str(len(sent.body)))]
        async with (
            httpcore2.AsyncConnectionPool(
                ssl_context=self._tls(), network_backend=PinnedBackend(addresses), max_keepalive_connections=0
            ) as pool,
            pool.stream(method or ("GET" if body is None else "POST"), url, headers=headers, content=body) as response,
        ):
            answered = _checked_headers(response)
            return Fetched(response.status, answered, await self._body(response, answered))

    async def _body(self, response: httpcore2.Response, headers: dict[str, str]) -> bytes:
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._max_bytes:
            raise FetchRefused(f"the answer announces more than {self._max_bytes} bytes")
        body = bytearray()
        async for chunk in response.aiter_stream():
            body += chunk
            if len(body) > self._max_bytes:
                raise FetchRefused(f"the answer is longer than {self._max_bytes} bytes")
        return bytes(body)

    def _tls(self) -> ssl.SSLContext:
        if self._ssl_context is None:
            self._ssl_context = ssl.create_default_context()
            self._ssl_context.minimum_version = ssl.TLSVersion.TLSv1_2  # BCP 195
        return self._ssl_context


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of ``host`` as the system knows them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def _sent(form: Mapping[str, str] | None, content: Content | None) -> Content | None:
    if form is None:
        return content
    return Content(urlencode(form).encode("ascii"), "application/x-www-form-urlencoded")


def _checked_headers(response: httpcore2.Response) -> dict[str, str]:
    if 300 <= response.status < 400:
        # The place it points to was registered by nobody.
        raise FetchRefused(f"the answer is a redirect ({response.status})", mend="register the final URL")
    if sum(len(name) + len(value) for name, value in response.headers) > MAX_HEADER_BYTES:
        raise FetchRefused(f"the headers of the answer are longer than {MAX_HEADER_BYTES} bytes")
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        # A few compressed bytes can become gigabytes; we asked for none.
        raise FetchRefused("the answer is compressed, which was not asked for", mend="answer Accept-Encoding: identity")
    return headers


def _networks(texts: Sequence[str]) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(text) for text in texts)
    except ValueError as error:
        raise ConfigurationError(f"fetching.allow_networks: {error}.") from None
