"""The way to the authorization server: capped, without redirects, proxies, cookies; its connections after a fork."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ostiary.errors import Unavailable
from ostiary.resource_server.http import Http, HttpRequest, HttpResponse

Connections = set[tuple[str, int]]
Send = Callable[[Http, str], HttpResponse]


def from_a_thread(http: Http, url: str) -> HttpResponse:
    return http.send_sync(HttpRequest(url))


def from_a_loop(http: Http, url: str) -> HttpResponse:
    async def send() -> HttpResponse:
        try:
            return await http.send(HttpRequest(url))
        finally:
            await http.aclose()

    return asyncio.run(send())


either_way = pytest.mark.parametrize("send", [from_a_thread, from_a_loop])


@pytest.fixture
def connections() -> Connections:
    return set()


@pytest.fixture
def url(connections: Connections) -> Iterator[str]:
    """A server that notes from which ports it is asked, and misbehaves as the path says."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            connections.add(self.client_address)
            body = (self.headers["Cookie"] or "").encode() if self.path == "/cookie" else b"x" * 100
            self.send_response(302 if self.path == "/redirect" else 200)
            self.send_header("Location", "/elsewhere")
            self.send_header("Set-Cookie", "who=me")
            self.send_header("Content-Encoding", "gzip" if self.path == "/compressed" else "identity")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.drip(body) if self.path == "/drip" else self.wfile.write(body)

        def drip(self, body: bytes) -> None:
            try:
                for octet in body:
                    self.wfile.write(bytes([octet]))
                    self.wfile.flush()
                    time.sleep(0.05)
            except OSError:
                self.close_connection = True  # the other side has had enough

        def log_message(self, *_: object) -> None:
            """Nothing: the output belongs to the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def test_threads_keep_their_connection(url: str, connections: Connections) -> None:
    http = Http()
    assert [http.send_sync(HttpRequest(url)).status for _ in range(3)] == [200, 200, 200]
    assert len(connections) == 1


def test_a_forked_process_does_not_share_its_parents_connection(
    url: str, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes on one connection would read one another's answers: another token's introspection."""
    http = Http()
    http.send_sync(HttpRequest(url))
    with monkeypatch.context() as child:
        child.setattr("ostiary.resource_server.http.os.getpid", lambda: -1)
        http.send_sync(HttpRequest(url))
    assert len(connections) == 2


@either_way
def test_an_answer_of_the_limit_is_read_and_no_longer_one(url: str, send: Send) -> None:
    assert send(Http(max_bytes=100), url).body == b"x" * 100
    with pytest.raises(Unavailable, match="more than 99 octets"):
        send(Http(max_bytes=99), url)


@either_way
def test_an_answer_that_drips_is_given_up(url: str, send: Send) -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable):
        send(Http(timeout=0.3), url + "drip")
    assert time.monotonic() - began < 2


@either_way
def test_an_answer_that_is_compressed_unasked_is_refused(url: str, send: Send) -> None:
    with pytest.raises(Unavailable, match="compressed"):
        send(Http(), url + "compressed")


@either_way
def test_a_redirect_is_an_answer_and_is_not_followed(url: str, send: Send) -> None:
    assert send(Http(), url + "redirect").status == 302


@either_way
def test_the_environments_proxy_is_not_told_what_we_ask(
    url: str, send: Send, monkeypatch: pytest.MonkeyPatch, unused_port: int
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port}")
    assert send(Http(), url).status == 200


def test_no_cookie_is_sent_back(url: str) -> None:
    async def twice(http: Http) -> bytes:
        await http.send(HttpRequest(url))
        answer = await http.send(HttpRequest(url + "cookie"))
        await http.aclose()
        return answer.body

    http = Http()
    http.send_sync(HttpRequest(url))
    assert http.send_sync(HttpRequest(url + "cookie")).body == b""
    assert asyncio.run(twice(http)) == b""
