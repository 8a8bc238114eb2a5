"""The way to the authorization server from threads, event loops and forked processes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ostiary.resource_server.http import Http, HttpRequest

Connections = set[tuple[str, int]]


@pytest.fixture
def connections() -> Connections:
    return set()


@pytest.fixture
def url(connections: Connections) -> Iterator[str]:
    """A server that notes from which ports it is asked."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            connections.add(self.client_address)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

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
