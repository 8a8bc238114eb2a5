"""Nobody can send the server to a place of their choice: attack 7, attack 37, standards 105 (CVE-2026-1180)."""

from __future__ import annotations

import asyncio
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.errors import OstiaryError, Unavailable, VerificationError
from ostiary.fetching.addresses import special_use
from ostiary.fetching.guarded import FetchRefused, GuardedFetcher
from ostiary.fetching.target import parse_target
from ostiary.protocol import jws
from ostiary.protocol.jwk import SigningKey
from tests.fetching.world import Resolver, fetcher, server

SPECIAL = [
    "127.0.0.1", "127.8.8.8", "0.0.0.1", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1",
    "2001::1", "2001:db8::1", "2002:7f00:1::1", "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd12::1",
    "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001:10::1", "2001:20::1",
]  # fmt: skip

SPELLINGS = [
    "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://017700000001/",
    "https://0177.0.0.1/", "https://127.0.0.01/", "https://127.0.0.1./", "https://127.000.000.001/", "https://0/",
    "https://[::ffff:127.0.0.1]/", "https://[::1]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::ffff:7f00:1]/",
    "https://[fe80::1%25eth0]/", "https://localhost/", "https://LOCALHOST/", "https://a.localhost/", "https://localhost./",
    "https://127.0.0.1:8443/", "https://%31%32%37.0.0.1/", "https://①②⑦.⓪.⓪.①/", "https://127。0。0。1/",
]  # fmt: skip

MALFORMED = [
    "http://keys.example.com/", "ftp://keys.example.com/", "file:///etc/passwd", "gopher://keys.example.com/", "jwks",
    "//keys.example.com/", "https:/keys.example.com/", "https:///jwks", "https://", "https://user@keys.example.com/",
    "https://user:password@keys.example.com/", "https://keys.example.com@127.0.0.1/", "https://keys.example.com/#x",
    "https://keys.example.com\\@127.0.0.1/", "https://keys.example.com /", "https://keys.example.com/\r\nX: y",
    "https://keys.example.com/\x00", "https://keys.example.com:0/", "https://keys.example.com:22/",
    "https://keys.example.com:6379/", "https://keys.example.com:65536/", "https://keys.example.com:/", "https://-a.com/",
    "https://a..b/", "https://.a/", "https://" + "a" * 64 + ".com/", "https://a.com/" + "x" * 2048, "https://a.com/%zz",
    "https://kéys.example.com/", "HTTPS://KEYS.EXAMPLE.COM:25/", " https://keys.example.com/",
]  # fmt: skip


def outcome(one: GuardedFetcher, url: str) -> OstiaryError:
    with pytest.raises(OstiaryError) as raised:
        asyncio.run(one.fetch(url, purpose="test"))
    return raised.value


@pytest.mark.parametrize("address", SPECIAL)
def test_a_name_that_resolves_to_a_special_use_address_is_refused(address: str) -> None:
    one = GuardedFetcher(resolver=Resolver([address]))
    assert isinstance(outcome(one, "https://keys.example.com/"), FetchRefused)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001::1", "100.128.0.1"])
def test_a_public_address_is_not_special(address: str) -> None:
    assert special_use(ipaddress.ip_address(address)) is None


@given(st.ip_addresses())
def test_whatever_python_calls_not_global_is_special(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if not address.is_global or address.is_multicast:
        assert special_use(address) is not None


def test_one_special_address_among_public_ones_refuses_the_name() -> None:
    one = GuardedFetcher(resolver=Resolver(["8.8.8.8", "127.0.0.1"]))
    assert isinstance(outcome(one, "https://keys.example.com/"), FetchRefused)


@pytest.mark.parametrize("url", SPELLINGS)
def test_no_spelling_of_this_machine_is_taken(url: str) -> None:
    resolver = Resolver(["8.8.8.8"])
    assert isinstance(outcome(GuardedFetcher(resolver=resolver), url), FetchRefused)
    assert resolver.asked == []


@pytest.mark.parametrize("url", MALFORMED)
def test_what_is_no_plain_https_url_is_refused_before_anything_is_resolved(url: str) -> None:
    resolver = Resolver(["8.8.8.8"])
    assert isinstance(outcome(GuardedFetcher(resolver=resolver), url), FetchRefused)
    assert resolver.asked == []


@given(st.text() | st.text(alphabet="htps:/.@[]#?%0127x\\ al").map(lambda rest: "https://" + rest))
def test_any_text_is_refused_or_taken_apart_and_nothing_else(text: str) -> None:
    try:
        target = parse_target(text, allow_http=False)
    except FetchRefused:
        return
    assert target.scheme == "https"
    assert not set(target.host) & set("@/\\?# %")


def test_a_resolver_that_changes_its_mind_cannot_move_the_connection() -> None:
    """attack 37, DNS rebinding: the name is resolved once, and its first answer is where we connect."""

    async def run() -> tuple[list[str], int]:
        async with server() as state:
            # What is allowed and checked is 127.0.0.1; a second question would be answered by 127.0.0.2.
            resolver = Resolver(["127.0.0.1"], ["127.0.0.2"])
            answer = await fetcher(resolver, allow_networks=("127.0.0.1/32",)).fetch(state.url, purpose="test")
            return resolver.asked, answer.status

    assert asyncio.run(run()) == (["keys.example.com"], 200)


def test_public_first_and_loopback_second_never_reaches_loopback() -> None:
    """attack 37, DNS rebinding."""

    async def run() -> tuple[list[str], int]:
        async with server() as canary:
            resolver = Resolver(["192.0.2.1"], ["127.0.0.1"])
            one = fetcher(resolver, allow_networks=("192.0.2.1/32",), timeout=0.3)
            with pytest.raises(Unavailable):
                await one.fetch(canary.url, purpose="test")
            return resolver.asked, canary.connections

    assert asyncio.run(run()) == (["keys.example.com"], 0)


def test_an_allowed_ipv4_network_does_not_let_its_mapped_form_in() -> None:
    one = GuardedFetcher(allow_networks=("127.0.0.0/8",), resolver=Resolver(["::ffff:127.0.0.1"]))
    assert isinstance(outcome(one, "https://keys.example.com/"), FetchRefused)


def test_localhost_is_a_name_only_where_loopback_is_allowed() -> None:
    async def run() -> int:
        async with server(names=("localhost",)) as state:
            return (await fetcher().fetch(f"https://localhost:{state.port}/", purpose="test")).status

    assert asyncio.run(run()) == 200
    one = GuardedFetcher(allow_networks=("10.0.0.0/8",), resolver=Resolver(["10.0.0.1"]))
    assert "this machine" in str(outcome(one, "https://localhost/"))


@pytest.mark.parametrize("member", ["jku", "x5u"])
def test_a_url_in_the_header_of_a_token_is_never_fetched(member: str) -> None:
    """attack 7: a canary listens and hears nothing."""

    async def run() -> int:
        async with server() as canary:
            key, other = SigningKey.generate("ES256", kid="k"), SigningKey.generate("ES256", kid="k")
            token = jws.sign(b"{}", other, typ="JWT", header={member: canary.url})
            with pytest.raises(VerificationError):
                jws.verify(jws.parse(token), key.verification_key)
            return canary.connections

    assert asyncio.run(run()) == 0
