"""The shells: what is true of every question they ask."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator

import pytest

from ostiary.client.exchange import MAX_BYTES, Answer, Exchange, Question, Shell
from ostiary.errors import ConfigurationError, Unavailable
from tests.client.http_server import Reply, Server


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def test_a_question_shows_neither_its_form_nor_its_headers() -> None:
    question = Question("https://a.example.com/token", "token endpoint", {"code": "c0d3"}, {"Authorization": "wert7"})
    assert "c0d3" not in repr(question)
    assert "wert7" not in repr(question)


def ask(url: str, form: dict[str, str] | None = None) -> Exchange[Answer]:
    return (yield Question(url, "part", form))


def twice(url: str) -> Exchange[tuple[int, int]]:
    first = yield Question(url, "part")
    second = yield Question(url, "part", {"a": "b c"})
    return first.status, second.status


def test_both_shells_drive_an_exchange_to_its_result(server: Server) -> None:
    server.routes["/"] = lambda received: Reply(200 if received.method == "GET" else 400)
    assert Shell().run(twice(f"{server.url}/")) == (200, 400)
    assert asyncio.run(Shell().run_async(twice(f"{server.url}/"))) == (200, 400)
    assert [received.body for received in server.received] == [b"", b"a=b+c"] * 2


def test_neither_shell_follows_a_redirect(server: Server) -> None:
    server.routes["/"] = lambda _: Reply(302, b"", {"Location": f"{server.url}/elsewhere"})
    assert Shell().run(ask(f"{server.url}/")).status == 302
    assert asyncio.run(Shell().run_async(ask(f"{server.url}/"))).status == 302
    assert server.of("/elsewhere") == []


def test_neither_shell_reads_more_than_its_limit(server: Server) -> None:
    server.routes["/"] = lambda _: Reply(200, b"x" * (MAX_BYTES + 1))
    with pytest.raises(Unavailable, match="octets"):
        Shell().run(ask(f"{server.url}/"))
    with pytest.raises(Unavailable, match="octets"):
        asyncio.run(Shell().run_async(ask(f"{server.url}/")))


def test_answer_of_exactly_the_limit_is_read(server: Server) -> None:
    server.routes["/"] = lambda _: Reply(200, b"x" * MAX_BYTES)
    assert len(Shell().run(ask(f"{server.url}/")).body) == MAX_BYTES


def test_answer_that_drips_is_given_up(server: Server) -> None:
    server.routes["/"] = lambda _: Reply(200, b"x")
    times = iter([0.0, 11.0])
    with pytest.raises(Unavailable, match="too long"):
        Shell(monotonic=lambda: next(times)).run(ask(f"{server.url}/"))


def test_nobody_there_is_unavailable(unused_port: int) -> None:
    url = f"http://127.0.0.1:{unused_port}/?token=secret"
    for run in (Shell().run, lambda exchange: asyncio.run(Shell().run_async(exchange))):
        with pytest.raises(Unavailable) as caught:
            run(ask(url))
        assert "secret" not in str(caught.value)


def test_loopback_is_reached_without_the_environments_proxy(
    server: Server, monkeypatch: pytest.MonkeyPatch, unused_port: int
) -> None:
    server.routes["/"] = lambda _: Reply(200)
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_port}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused_port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert Shell().run(ask(f"{server.url}/")).status == 200


def unverifying(*, mode: ssl.VerifyMode) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = mode
    return context


@pytest.mark.parametrize("mode", [ssl.CERT_NONE, ssl.CERT_REQUIRED])
def test_tls_that_verifies_too_little_is_refused(mode: ssl.VerifyMode) -> None:
    """standards 120: neither without the certificate's chain nor without its name."""
    with pytest.raises(ConfigurationError, match="verify"):
        Shell(tls=unverifying(mode=mode))


def test_secret_form_is_not_shown() -> None:
    assert "secret" not in repr(Question("https://a.example", "part", {"token": "secret"}))
    assert "secret" not in repr(Answer(200, {}, b"secret"))
