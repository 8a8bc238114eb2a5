"""Whose address a request bears, behind proxies and without them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ostiary.authorization_server.client_address import client_address, network_of
from ostiary.authorization_server.http import Request


def address(forwarded: str | None, *, behind_proxy: bool = True, trusted: tuple[str, ...] = ()) -> str:
    settings = SimpleNamespace(server=SimpleNamespace(behind_proxy=behind_proxy, trusted_proxies=trusted))
    server: Any = SimpleNamespace(settings=settings)
    headers = {} if forwarded is None else {b"x-forwarded-for": forwarded.encode("latin-1")}
    return client_address(server, Request("GET", "/", headers, client_address="10.0.0.1"))


def test_without_a_proxy_the_header_is_anybodys_word() -> None:
    assert address("198.51.100.7", behind_proxy=False) == "10.0.0.1"


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        (None, ""),
        ("", ""),
        ("198.51.100.7", "198.51.100.7"),
        ("203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("198.51.100.7, 10.1.0.5", "198.51.100.7"),
        ("1.2.3.4, 198.51.100.7, 10.1.0.5, 10.1.0.6", "198.51.100.7"),
        ("10.1.0.5, 10.1.0.6", "10.1.0.5"),
        ("1.2.3.4, nonsense", ""),
        ("1.2.3.4, nonsense, 10.1.0.6", "10.1.0.6"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("<script>", ""),
    ],
)
def test_behind_a_proxy_the_last_word_that_is_no_proxys_counts(forwarded: str | None, expected: str) -> None:
    assert address(forwarded, trusted=("10.1.0.0/16",)) == expected


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("198.51.100.7", "198.51.100.0/24"),
        ("::ffff:198.51.100.7", "198.51.100.0/24"),
        ("2001:db8:0:17::1", "2001:db8::/56"),
        ("2001:db8:0:100::1", "2001:db8:0:100::/56"),
        ("fe80::1%eth0", "fe80::/56"),
        ("", "unknown"),
        ("localhost", "unknown"),
    ],
)
def test_the_network_of_an_address(text: str, network: str) -> None:
    assert network_of(text) == network
