"""What a running server refuses before it reads a request to its end, and what no header of a request can change."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.real.served import Served

pytestmark = pytest.mark.real

LIMITS = ["max_header_bytes = 4096", "max_body_bytes = 8192", "request_timeout = 1.0"]
FORM = b"content-type: application/x-www-form-urlencoded\r\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    installed = Served(tmp_path_factory.mktemp("limits"), settings={"server": LIMITS})
    with installed.run():
        yield installed


def exchange(served: Served, request: bytes) -> tuple[int, bytes]:
    """Send the bytes as they are; status and everything that came back until the server closed, or 0."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=10.0) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while b"\r\n\r\n" not in answer and (part := connection.recv(65_536)):
                answer += part
        except ConnectionResetError:
            pass
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0, answer


def post(*headers: bytes, body: bytes = b"", host: bytes = b"host: localhost\r\n") -> bytes:
    return b"POST /token HTTP/1.1\r\n" + host + b"".join(headers) + b"\r\n" + body


def test_a_header_above_the_limit_is_answered_431(served: Served) -> None:
    assert exchange(served, post(b"x-filler: " + b"a" * 5000 + b"\r\n"))[0] == 431
    assert exchange(served, b"GET /jwks?" + b"a" * 5000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n")[0] == 431
    assert (
        exchange(served, post(FORM, b"x-filler: " + b"a" * 3000 + b"\r\ncontent-length: 3\r\n", body=b"a=b"))[0] == 401
    )


@pytest.mark.parametrize("framing", ["content-length", "chunked"])
def test_a_body_above_the_limit_is_answered_413(served: Served, framing: str) -> None:
    body = b"a=" + b"b" * 9000
    if framing == "content-length":
        request = post(FORM, b"content-length: %d\r\n" % len(body), body=body)
    else:
        chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        request = post(FORM, b"transfer-encoding: chunked\r\n", body=chunks)
    assert exchange(served, request)[0] == 413


@pytest.mark.parametrize("request_so_far", [post(FORM, b"content-length: 100\r\n", body=b"a=b"), b"POST /token HT"])
def test_a_request_that_does_not_come_to_its_end_is_answered_408(served: Served, request_so_far: bytes) -> None:
    assert exchange(served, request_so_far)[0] == 408


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"GET /jwks HTTP/1.1\r\nhost: localhost\r\nhost: other\r\n\r\n", id="two hosts"),
        pytest.param(b"GET /jwks HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(b"GET /jwks HTTP/1.1\r\nhost: localhost\r\nx-folded: one\r\n two\r\n\r\n", id="obs-fold"),
        pytest.param(b"GET /jwks HTTP/1.1\r\nhost : localhost\r\n\r\n", id="space before the colon"),
        pytest.param(
            post(FORM, b"content-length: 3\r\ntransfer-encoding: chunked\r\n", body=b"0\r\n\r\n"), id="two framings"
        ),
        pytest.param(post(FORM, b"content-length: 3\r\ncontent-length: 4\r\n", body=b"a=b"), id="two lengths"),
        pytest.param(post(FORM, b"content-length: +3\r\n", body=b"a=b"), id="signed length"),
        pytest.param(b"GET /jwks HTTP/1.1\nhost: localhost\nx: y\x00z\n\n", id="nul"),
    ],
)
def test_a_request_that_could_be_read_in_two_ways_is_refused(served: Served, request_bytes: bytes) -> None:
    """RFC 9112 sections 3.2, 5.1, 5.2 and 6.3"""
    assert exchange(served, request_bytes)[0] == 400


METADATA = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/jwks"]
ELSEWHERE = [
    {"host": "evil.example"},
    {"host": "evil.example:1"},
    {"x-forwarded-host": "evil.example"},
    {"x-forwarded-proto": "http"},
    {"x-forwarded-port": "1"},
    {"x-forwarded-for": "10.0.0.1"},
    {"x-forwarded-prefix": "/evil"},
    {"x-original-url": "/evil"},
    {"x-rewrite-url": "/evil"},
    {"forwarded": "host=evil.example;proto=http;for=10.0.0.1"},
]


@pytest.mark.parametrize("path", METADATA)
def test_no_header_changes_a_byte_of_the_metadata(served: Served, path: str) -> None:
    """standards 97, attack 35"""
    with served.http() as http:
        first = http.get(path)
        assert first.status_code == 200
        assert b"evil" not in first.content
        for headers in ELSEWHERE:
            again = http.get(path, headers=headers)
            assert (again.status_code, again.content) == (200, first.content), headers


def test_plain_http_is_not_served_off_loopback(tmp_path: Path) -> None:
    served = Served(tmp_path, settings={"server": ['host = "0.0.0.0"', "behind_proxy = false"]})
    with served.start() as process:
        assert process.wait(seconds=20) == 3
        assert "behind_proxy" in process.output
        assert "Traceback" not in process.output
    with pytest.raises(httpx2.ConnectError):
        served.ask("/token", {})


def test_an_http_issuer_is_not_served(tmp_path: Path) -> None:
    served = Served(tmp_path)
    served.config.write_text(
        served.config.read_text().replace(f'issuer = "{served.issuer}', 'issuer = "http://localhost')
    )
    with served.start() as process:
        assert process.wait(seconds=20) == 3
        assert "https issuer" in process.output
