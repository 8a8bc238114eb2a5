"""The generator of load acts as a browser does where it must, and notices when it does not do what it claims."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from bench.following import cookies_of, follow, get, location, post
from bench.load import Order, Result, run

CALLBACK = "https://app.example/callback"


def order(port: int, requests: list[bytes], **changes: Any) -> Order:
    given: dict[str, Any] = {
        "port": port,
        "path": "",
        "issuer": "",
        "client_id": "",
        "key": "",
        "form": {},
        "wanted": "good",
        "seconds": 5.0,
        "count": len(requests),
        "connections": 1,
        "requests": [one.decode("latin-1") for one in requests],
    }
    return Order(**(given | changes))


def generated(answers: dict[str, str], make: Any) -> Result:
    """What the generator tells of a server with these answers, each a head, by the first line of the request."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            first, *lines = head.decode("latin-1").split("\r\n")
            cookie = next((line for line in lines if line.startswith("cookie: ")), "no cookie")
            told = answers.get(f"{first.removesuffix(' HTTP/1.1')} {cookie}", "HTTP/1.1 404 Not Found")
            writer.write(f"{told}\r\ncontent-length: 4\r\n\r\ngood".encode("latin-1"))

    async def act() -> Result:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            return await run(make(server.sockets[0].getsockname()[1]))

    return asyncio.run(act())


def test_a_cookie_that_is_emptied_is_gone() -> None:
    head = b"HTTP/1.1 303 See Other\r\nSet-Cookie: a=1; Path=/\r\nset-cookie: b=; Max-Age=0"
    assert cookies_of(head, {"b": "2", "c": "3"}) == {"a": "1", "c": "3"}


def test_a_redirect_is_followed_by_get_with_the_cookies() -> None:
    sent = post("/form", 80, {"a": "1"}, "password=secret")
    head = b"HTTP/1.1 303 See Other\r\nLocation: https://issuer.example/next?x=1\r\nSet-Cookie: b=2; Path=/"
    assert location(head) == "https://issuer.example/next?x=1"
    assert follow(sent, head, 80) == get("/next?x=1", 80, {"a": "1", "b": "2"})


def test_redirects_count_as_one_and_the_last_address_is_told() -> None:
    answers = {
        "GET /start no cookie": "HTTP/1.1 303 See Other\r\nlocation: /next\r\nset-cookie: a=1",
        "GET /next cookie: a=1": f"HTTP/1.1 303 See Other\r\nlocation: {CALLBACK}?code=1",
    }
    result = generated(answers, lambda port: order(port, [get("/start", port, {})] * 2, ends_at=CALLBACK, keep=2))
    assert (result.answered, result.failed) == (2, 0)
    assert result.bodies == [f"{CALLBACK}?code=1"] * 2


def test_an_error_page_on_the_way_is_a_failure() -> None:
    answers = {"GET /start no cookie": "HTTP/1.1 303 See Other\r\nlocation: /lost"}
    result = generated(answers, lambda port: order(port, [get("/start", port, {})], ends_at=CALLBACK))
    assert (result.answered, result.failed) == (0, 1)
    assert "404" in result.first_failure


def test_the_connections_go_to_the_nodes_in_turn() -> None:
    met: list[int] = []

    async def act() -> Result:
        def node(number: int) -> Any:
            async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                met.append(number)
                while await reader.readuntil(b"\r\n\r\n"):
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood")

            return answer

        servers = [await asyncio.start_server(node(number), "127.0.0.1", 0) for number in range(3)]
        ports = [server.sockets[0].getsockname()[1] for server in servers]
        return await run(order(ports[0], [get("/a", ports[0], {})] * 20, ports=ports, connections=6))

    assert asyncio.run(act()).answered == 20
    assert sorted(met) == [0, 0, 1, 1, 2, 2]


def test_a_background_that_runs_out_is_no_measurement() -> None:
    answers = {"GET /a no cookie": "HTTP/1.1 200 OK"}

    def make(port: int) -> Order:
        behind = order(port, [get("/a", port, {})] * 2)
        return msgspec.structs.replace(behind, background=behind)

    with pytest.raises(RuntimeError, match="ran out"):
        generated(answers, make)
