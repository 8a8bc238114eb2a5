"""The fetcher gets a document over verified TLS from the address that it checked, and takes no more than was agreed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import pytest

from ostiary.errors import ConfigurationError, OstiaryError, Unavailable
from ostiary.fetching.guarded import MAX_AT_ONCE, MAX_HEADER_BYTES, Fetched, FetchRefused, GuardedFetcher
from tests.fetching.world import LOOPBACK, NAME, Answer, Resolver, Server, fetcher, reply, server


def fetched(
    answer: Answer | None = None, *, names: Sequence[str] = (NAME,), **changes: object
) -> tuple[Fetched, Server]:
    async def run() -> tuple[Fetched, Server]:
        async with server(answer, names=names) as state:
            return await fetcher(**changes).fetch(state.url, purpose="test"), state  # type: ignore[arg-type]

    return asyncio.run(run())


def refused(
    error: type[OstiaryError], answer: Answer | None = None, *, names: Sequence[str] = (NAME,), **changes: object
) -> str:
    with pytest.raises(error) as raised:
        fetched(answer, names=names, **changes)
    return str(raised.value)


def test_a_document_is_fetched_by_name_from_the_address_that_was_checked() -> None:
    """standards 105."""
    answer, state = fetched(reply(b'{"keys":[]}', "200 OK", "Cache-Control: max-age=60"))
    assert (answer.status, answer.body) == (200, b'{"keys":[]}')
    assert answer.headers["cache-control"] == "max-age=60"
    assert state.requests[0].startswith("GET /jwks?x=1 HTTP/1.1\r\n")
    assert f"\r\nHost: {NAME}:{state.port}\r\n" in state.requests[0]


def test_the_certificate_must_be_for_the_name_of_the_url() -> None:
    """standards 120."""
    assert "certificate" in refused(Unavailable, names=("other.example.com",)).lower()


def test_a_certificate_of_an_unknown_authority_is_refused() -> None:
    """standards 120."""
    assert "certificate" in refused(Unavailable, ssl_context=None).lower()


def test_the_fetcher_speaks_no_tls_below_1_2() -> None:
    """standards 120."""
    context = GuardedFetcher()._tls()
    assert context.minimum_version >= context.minimum_version.TLSv1_2
    assert context.check_hostname


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "304 Not", "307 T", "308 P"])
def test_a_redirect_is_refused_and_not_followed(status: str) -> None:
    """attack 37."""

    async def run() -> Server:
        async with server() as secret:
            async with server(reply(b"", status, f"Location: {secret.url}")) as state:
                with pytest.raises(FetchRefused, match="redirect"):
                    await fetcher().fetch(state.url, purpose="test")
            return secret

    assert asyncio.run(run()).connections == 0


@pytest.mark.parametrize("status", ["404 Not Found", "500 Error"])
def test_another_status_is_told_to_the_caller(status: str) -> None:
    assert fetched(reply(b"", status))[0].status == int(status[:3])


def test_an_answer_that_announces_too_much_is_refused_before_it_is_read() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(5)

    assert "announces" in refused(FetchRefused, answer, max_bytes=100)


def test_an_answer_of_exactly_the_cap_is_taken_and_one_byte_more_is_not() -> None:
    """attack 37: a huge body."""

    def chunked(size: int) -> Answer:
        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"x" * size))
            await writer.drain()

        return answer

    assert len(fetched(chunked(100), max_bytes=100)[0].body) == 100
    assert "longer than 100" in refused(FetchRefused, chunked(101), max_bytes=100)


def test_an_endless_body_is_cut_off() -> None:
    """attack 37."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()

    assert "longer than" in refused(FetchRefused, answer)


def test_a_compressed_answer_is_refused() -> None:
    assert "compressed" in refused(FetchRefused, reply(b"x", "200 OK", "Content-Encoding: gzip"))


def test_compression_is_not_asked_for() -> None:
    assert "Accept-Encoding: identity" in fetched()[1].requests[0]


def test_headers_beyond_the_cap_are_refused() -> None:
    assert "headers" in refused(FetchRefused, reply(b"", "200 OK", f"X: {'x' * MAX_HEADER_BYTES}"))


def test_endless_headers_are_cut_off() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"X: " + b"x" * 8000 + b"\r\n")
                await writer.drain()

    refused(Unavailable, answer)


def test_an_answer_that_drips_is_cut_off_by_the_total_time() -> None:
    """attack 37: a slow body; each byte comes in time, the whole does not."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(1000):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)

    assert "no whole answer" in refused(Unavailable, answer, timeout=0.2)


def test_a_resolver_that_hangs_is_cut_off_by_the_total_time() -> None:
    async def hang(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    assert "no whole answer" in refused(Unavailable, resolver=hang, timeout=0.1)


def test_nothing_listens_is_an_outage() -> None:
    async def run() -> None:
        async with server() as state:
            url = state.url
        with pytest.raises(Unavailable):
            await fetcher().fetch(url, purpose="test")

    asyncio.run(run())


def test_what_is_no_http_is_an_outage() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        await writer.drain()

    refused(Unavailable, answer)


def test_no_cookie_is_kept_from_one_fetch_to_the_next() -> None:
    """standards 105."""

    async def run() -> list[str]:
        async with server(reply(b"", "200 OK", "Set-Cookie: a=b")) as state:
            one = fetcher()
            await one.fetch(state.url, purpose="test")
            await one.fetch(state.url, purpose="test")
            return state.requests

    assert all("cookie" not in request.lower() for request in asyncio.run(run()))


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> tuple[Server, Server]:
        async with server(tls=False) as proxy, server() as state:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
            await fetcher().fetch(state.url, purpose="test")
            return proxy, state

    proxy, state = asyncio.run(run())
    assert (proxy.connections, len(state.requests)) == (0, 1)


def test_plain_http_is_fetched_only_where_the_operator_allows_it() -> None:
    async def run(allow_http: bool) -> int:
        async with server(tls=False) as state:
            url = f"http://{NAME}:{state.port}/"
            return (await fetcher(allow_http=allow_http).fetch(url, purpose="test")).status

    assert asyncio.run(run(True)) == 200
    with pytest.raises(FetchRefused, match="not https"):
        asyncio.run(run(False))


def test_a_network_may_be_allowed_for_one_purpose_alone() -> None:
    async def run(purpose: str) -> int:
        async with server() as state:
            one = fetcher(allow_networks={"client_keys": LOOPBACK})
            return (await one.fetch(state.url, purpose=purpose)).status

    assert asyncio.run(run("client_keys")) == 200
    with pytest.raises(FetchRefused, match="loopback"):
        asyncio.run(run("logo"))


def test_the_second_address_is_tried_when_the_first_does_not_answer() -> None:
    answer, _ = fetched(resolver=Resolver(["127.9.9.9", "127.0.0.1"]))
    assert answer.status == 200


def test_no_more_than_a_few_fetches_run_at_once() -> None:
    running, most = 0, 0

    async def answer(writer: asyncio.StreamWriter) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        await reply()(writer)
        running -= 1

    async def run() -> None:
        async with server(answer) as state:
            one = fetcher()
            await asyncio.gather(*(one.fetch(state.url, purpose="test") for _ in range(2 * MAX_AT_ONCE)))

    asyncio.run(run())
    assert 1 < most <= MAX_AT_ONCE


def test_a_network_that_is_none_is_told_at_start() -> None:
    with pytest.raises(ConfigurationError, match="allow_networks"):
        GuardedFetcher(allow_networks=("10.0.0.1/8",))
