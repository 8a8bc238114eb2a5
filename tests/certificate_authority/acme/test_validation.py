"""Each way to prove a name, against real servers on loopback: what passes, and each thing alone that fails."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ostiary.certificate_authority.acme.validation import dns_01, http_01, tls_alpn_01
from ostiary.certificate_authority.acme.validation.failure import ChallengeFailed
from ostiary.certificate_authority.acme.validation.reach import Reach
from ostiary.protocol import base64url
from tests.certificate_authority.acme.served_names import (
    NameServer,
    Web,
    challenge_certificate,
    name_server,
    ok,
    tls_server,
    web,
)

NAME = "www.example.com"
IDENTIFIER = f"dns:{NAME}"
TOKEN = "a-token"
KEY_AUTHORIZATION = "a-token.thumbprint"
PATH = f"/.well-known/acme-challenge/{TOKEN}"
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


def reach(names: NameServer | None = None, *, http: int = 80, tls: int = 443, networks: Any = LOOPBACK) -> Reach:
    return Reach(networks, http, tls, ("127.0.0.1", names.port) if names else None, 5.0)


def failure(validation: Coroutine[Any, Any, None]) -> ChallengeFailed:
    with pytest.raises(ChallengeFailed) as caught:
        asyncio.run(validation)
    return caught.value


async def over_http(site: Web, identifier: str = IDENTIFIER, *, networks: Any = LOOPBACK, **records: Any) -> None:
    found = records.get("records", {(NAME, "A"): ["127.0.0.1"]})
    async with name_server(found) as names:
        there = reach(names, http=site.port, networks=networks)
        await http_01.validate(there, identifier, TOKEN, KEY_AUTHORIZATION)


async def answered(raw: bytes) -> None:
    async with web() as site:
        site.raw = raw
        await over_http(site)


# -- http-01 ----------------------------------------------------------------------------------------------------------


def test_http_01_finds_the_key_authorization_by_name() -> None:
    async def run() -> list[str]:
        async with web() as site:
            site.answers[PATH] = KEY_AUTHORIZATION.encode() + b"\r\n"
            await over_http(site)
            return [site.requests[0], f"{NAME}:{site.port}"]

    request, host = asyncio.run(run())
    assert request.startswith(f"GET {PATH} HTTP/1.1\r\n")
    assert f"\r\nHost: {host}\r\n" in request


def test_http_01_takes_an_address_as_its_own_name() -> None:
    async def run() -> str:
        async with web() as site:
            site.answers[PATH] = KEY_AUTHORIZATION.encode()
            await over_http(site, "ip:127.0.0.1")
            return site.requests[0]

    assert "\r\nHost: 127.0.0.1:" in asyncio.run(run())


def test_an_ipv6_address_stands_in_brackets_in_host() -> None:
    assert http_01.authority("ip:fd00::1", 80) == "[fd00::1]"
    assert http_01.authority(IDENTIFIER, 80) == NAME


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (ok(b"another.thumbprint"), "unauthorized"),
        (ok(b""), "unauthorized"),
        (ok(KEY_AUTHORIZATION.encode() + b" and more"), "unauthorized"),
        (ok(b"x" * (http_01.MAX_BYTES + 1)), "unauthorized"),
        (ok(KEY_AUTHORIZATION.encode() + b" " * http_01.MAX_BYTES), "unauthorized"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "unauthorized"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "unauthorized"),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n", "unauthorized"),
        (b"no HTTP at all\r\n\r\n", "connection"),
    ],
)
def test_http_01_refuses_another_answer(raw: bytes, code: str) -> None:
    assert failure(answered(raw)).code == code


def test_http_01_follows_no_redirect_even_to_a_place_that_has_the_answer() -> None:
    async def run() -> list[str]:
        async with web() as target, web() as site:
            target.answers[PATH] = KEY_AUTHORIZATION.encode()
            place = f"http://127.0.0.1:{target.port}{PATH}".encode()
            site.raw = b"HTTP/1.1 302 Found\r\nLocation: " + place + b"\r\nContent-Length: 0\r\n\r\n"
            with pytest.raises(ChallengeFailed):
                await over_http(site)
            return target.requests

    assert asyncio.run(run()) == []


def test_http_01_takes_the_answer_of_an_error_page_for_none() -> None:
    """Section 8.3: only an answer of 200 counts; a page of 404 may repeat what was asked for."""
    body = KEY_AUTHORIZATION.encode()
    with pytest.raises(ChallengeFailed):
        asyncio.run(answered(ok(body).replace(b"200 OK", b"404 Not Found")))
    asyncio.run(answered(ok(body)))


def test_http_01_gives_up_when_nobody_listens(unused_port: int) -> None:
    async def run() -> None:
        async with name_server({(NAME, "A"): ["127.0.0.1"]}) as names:
            await http_01.validate(reach(names, http=unused_port), IDENTIFIER, TOKEN, KEY_AUTHORIZATION)

    found = failure(run())
    assert (found.code, found.again) == ("connection", True)


# -- where it may connect to (attacks: SSRF, DNS rebinding) -----------------------------------------------------------

EVERYTHING = tuple(map(ipaddress.ip_network, ("0.0.0.0/0", "::/0")))


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "A"),
        ("10.1.2.3", "A"),
        ("172.16.0.1", "A"),
        ("192.168.1.1", "A"),
        ("169.254.169.254", "A"),
        ("0.0.0.1", "A"),
        ("100.64.0.1", "A"),
        ("224.0.0.1", "A"),
        ("255.255.255.255", "A"),
        ("::1", "AAAA"),
        ("::", "AAAA"),
        ("::ffff:127.0.0.1", "AAAA"),
        ("64:ff9b::7f00:1", "AAAA"),
        ("2002:7f00:1::", "AAAA"),
        ("fe80::1", "AAAA"),
        ("fd00::1", "AAAA"),
    ],
)
def test_a_network_of_everything_covers_no_special_address(address: str, kind: str) -> None:
    async def run() -> None:
        async with web() as site:
            await over_http(site, networks=EVERYTHING, records={(NAME, kind): [address]})

    found = failure(run())
    assert (found.code, found.again) == ("connection", False)
    assert "acme.allow_networks" in found.detail


@pytest.mark.parametrize("networks", [(), (ipaddress.ip_network("10.0.0.0/8"),), (ipaddress.ip_network("8.8.8.0/24"),)])
def test_nothing_is_reached_that_is_not_allowed(networks: Any) -> None:
    async def run() -> list[str]:
        async with web() as site:
            site.answers[PATH] = KEY_AUTHORIZATION.encode()
            with pytest.raises(ChallengeFailed, match=r"acme\.allow_networks"):
                await over_http(site, networks=networks)
            return site.requests

    assert asyncio.run(run()) == []


def test_one_forbidden_address_among_allowed_ones_refuses_the_name() -> None:
    async def run() -> None:
        async with web() as site:
            site.answers[PATH] = KEY_AUTHORIZATION.encode()
            await over_http(site, records={(NAME, "A"): ["127.0.0.1", "10.0.0.1"]})

    assert failure(run()).code == "connection"


def test_a_second_answer_of_the_resolver_moves_no_connection() -> None:
    """DNS rebinding: the name has another address each time it is asked for."""

    async def run() -> tuple[list[str], int]:
        async with web() as site, name_server({(NAME, "A"): []}) as names:
            site.answers[PATH] = KEY_AUTHORIZATION.encode()
            given = iter(["127.0.0.1", "169.254.169.254", "10.0.0.1"])
            names.answer = lambda name, kind: [next(given)] if kind == "A" else []
            await http_01.validate(reach(names, http=site.port), IDENTIFIER, TOKEN, KEY_AUTHORIZATION)
            return site.requests, names.asked.count((NAME, "A"))

    requests, asked = asyncio.run(run())
    assert (len(requests), asked) == (1, 1)


def test_an_address_as_an_identifier_must_be_allowed_too() -> None:
    async def run() -> None:
        await http_01.validate(reach(), "ip:169.254.169.254", TOKEN, KEY_AUTHORIZATION)

    assert failure(run()).code == "connection"


def test_a_name_without_an_address_is_told_as_such() -> None:
    async def run() -> None:
        async with web() as site:
            await over_http(site, records={})

    assert failure(run()).code == "dns"


# -- dns-01 -----------------------------------------------------------------------------------------------------------

DIGEST = base64url.encode(hashlib.sha256(KEY_AUTHORIZATION.encode()).digest()).decode()
RECORD = (f"_acme-challenge.{NAME}", "TXT")


async def by_txt(records: Any) -> None:
    async with name_server(records) as names:
        await dns_01.validate(reach(names, networks=()), IDENTIFIER, TOKEN, KEY_AUTHORIZATION)


def test_dns_01_finds_its_record_among_others_and_in_pieces() -> None:
    asyncio.run(by_txt({RECORD: ['"v=spf1 -all"', f'"{DIGEST[:10]}" "{DIGEST[10:]}"']}))


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ({}, "dns"),
        ({RECORD: []}, "dns"),
        ({RECORD: ['"something else"']}, "unauthorized"),
        ({RECORD: [f'"{DIGEST} "']}, "unauthorized"),
        ({RECORD: [f'"{KEY_AUTHORIZATION}"']}, "unauthorized"),
        ({(NAME, "TXT"): [f'"{DIGEST}"']}, "dns"),
    ],
)
def test_dns_01_refuses_everything_else(records: Any, code: str) -> None:
    assert failure(by_txt(records)).code == code


# -- tls-alpn-01 ------------------------------------------------------------------------------------------------------


async def by_handshake(
    folder: Path, certificate: tuple[Any, bytes], *, identifier: str = IDENTIFIER, protocols: Any = None
) -> None:
    async with (
        tls_server(folder, *certificate, protocols) as port,
        name_server({(NAME, "A"): ["127.0.0.1"]}) as names,
    ):
        await tls_alpn_01.validate(reach(names, tls=port), identifier, TOKEN, KEY_AUTHORIZATION)


@pytest.mark.parametrize(("identifier", "names"), [(IDENTIFIER, [NAME]), ("ip:127.0.0.1", ["127.0.0.1"])])
def test_tls_alpn_01_finds_its_certificate(tmp_path: Path, identifier: str, names: list[str]) -> None:
    asyncio.run(by_handshake(tmp_path, challenge_certificate(names, KEY_AUTHORIZATION), identifier=identifier))


def test_an_address_is_asked_for_by_its_reverse_name() -> None:
    assert tls_alpn_01.server_name("ip:10.0.0.1") == "1.0.0.10.in-addr.arpa"


@pytest.mark.parametrize(
    ("names", "changes"),
    [
        (["other.example.com"], {}),
        ([NAME, "other.example.com"], {}),
        (["127.0.0.1"], {}),
        ([NAME], {"critical": False}),
        ([NAME], {"value": b"\x04\x20" + bytes(32)}),
        ([NAME], {"value": b""}),
        ([NAME], {"value": hashlib.sha256(KEY_AUTHORIZATION.encode()).digest()}),
    ],
)
def test_tls_alpn_01_refuses_another_certificate(tmp_path: Path, names: list[str], changes: Any) -> None:
    made = challenge_certificate(names, KEY_AUTHORIZATION, **changes)
    assert failure(by_handshake(tmp_path, made)).code == "unauthorized"


@pytest.mark.parametrize("protocols", [["http/1.1"], []])
def test_tls_alpn_01_refuses_a_server_that_does_not_speak_it(tmp_path: Path, protocols: list[str]) -> None:
    made = challenge_certificate([NAME], KEY_AUTHORIZATION)
    assert failure(by_handshake(tmp_path, made, protocols=protocols)).code in ("unauthorized", "tls")


def test_tls_alpn_01_tells_when_there_is_no_tls() -> None:
    async def run() -> None:
        async with web() as site:
            hasty = replace(reach(tls=site.port), timeout=0.2)
            await tls_alpn_01.validate(hasty, "ip:127.0.0.1", TOKEN, KEY_AUTHORIZATION)

    assert failure(run()).code in ("tls", "connection")
