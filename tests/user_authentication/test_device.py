"""A browser in a few words."""

from __future__ import annotations

import pytest

from ostiary.authorization_server.http import Request
from ostiary.user_authentication.device import device_of

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0 Safari/537.36", "Chrome on Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0) {WEBKIT} Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1", "Safari on iPhone"),
        (f"Mozilla/5.0 (Linux; Android 16) {WEBKIT} Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.5.0", "curl"),
        ("<script>", ""),
        ("", ""),
    ],
)
def test_a_browser_is_named_as_people_call_it(agent: str, words: str) -> None:
    assert device_of(Request("GET", "/", {b"user-agent": agent.encode()})) == words
