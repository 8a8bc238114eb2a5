"""LoopbackListener with a browser that is a socket: who is told what, in which order (RFC 8252 section 7.3)."""

from __future__ import annotations

import socketserver
from collections.abc import Iterator
from urllib.parse import urlencode

import httpx2
import pytest

from ostiary.client import Unavailable
from ostiary.client.loopback import LoopbackListener

EXPECTED = {"code": "code-1", "state": "s" * 43}


@pytest.fixture
def listener() -> Iterator[LoopbackListener]:
    with LoopbackListener() as entered:
        entered.expect(EXPECTED["state"])
        yield entered


def come_back(listener: LoopbackListener, **parameters: str) -> httpx2.Response:
    return httpx2.get(f"{listener.redirect_uri}?{urlencode(EXPECTED | parameters)}", trust_env=False)


def test_the_expected_answer_is_taken_and_its_browser_told_so(listener: LoopbackListener) -> None:
    assert "close this window" in come_back(listener).text
    assert listener.wait(seconds=10) == EXPECTED


def test_whatever_else_knocks_ends_nothing(listener: LoopbackListener) -> None:
    assert come_back(listener, state="another").status_code == 404
    with pytest.raises(Unavailable, match="nobody came back"):
        listener.wait(seconds=0)
    assert come_back(listener).status_code == 200


def test_the_browser_has_its_page_before_the_application_goes_on_and_may_end(
    listener: LoopbackListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone_on: list[bool] = []
    write = socketserver._SocketWriter.write  # type: ignore[attr-defined]

    def watched(writer: object, octets: bytes) -> int:
        gone_on.append(listener._answer.done())
        return int(write(writer, octets))

    monkeypatch.setattr("socketserver._SocketWriter.write", watched)
    assert come_back(listener).status_code == 200
    assert listener.wait(seconds=10) == EXPECTED
    assert gone_on == [False, False]


def test_a_browser_that_has_gone_before_its_page_does_not_take_the_answer_along(
    listener: LoopbackListener, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def gone(*_: object) -> int:
        raise BrokenPipeError

    monkeypatch.setattr("socketserver._SocketWriter.write", gone)
    with pytest.raises(httpx2.TransportError):
        come_back(listener)
    assert listener.wait(seconds=10) == EXPECTED
    assert capfd.readouterr().err == ""
