"""A certificate header that nobody may believe, on every shell and real servers: attack 36, standards 83-85."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest

from ostiary.resource_server import FromProxy, ProxySecret
from ostiary.resource_server.wsgi import WsgiGuard
from tests.resource_server.certificates import bound_to, client_cert, escaped, forwarded
from tests.resource_server.conftest import clock, issuer, world
from tests.resource_server.serving import served_by_werkzeug
from tests.resource_server.test_methods import SHELLS, Shell
from tests.resource_server.world import World, failed_check

__all__ = ["clock", "issuer", "world"]

OWN, OTHER = "client.example", "sibling.example"
SECRET = ("X-Proxy-Secret", "a secret of 32 characters or more")
PROOF = ProxySecret(*SECRET)
Headers = Sequence[tuple[str, str]]
KINDS: dict[str, tuple[FromProxy, str, Callable[[str], str]]] = {
    "client-cert": (FromProxy("client-cert", proxy=PROOF), "Client-Cert", client_cert),
    "envoy": (FromProxy("x-forwarded-client-cert", proxy=PROOF), "X-Forwarded-Client-Cert", forwarded),
    "nginx": (FromProxy("escaped-pem", header="X-SSL-Client-Cert", proxy=PROOF), "X-SSL-Client-Cert", escaped),
}


@pytest.fixture(params=SHELLS, ids=lambda shell: shell.__name__)
def shell(request: pytest.FixtureRequest) -> Shell:
    chosen: Shell = request.param
    return chosen


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(shell: Shell, world: World, kind: str) -> Iterator[str]:
    world.options["client_certificates"] = KINDS[kind][0]
    with shell(world, False) as started:
        yield started


def ask(url: str, world: World, headers: Headers, token: str | None = None) -> int:
    """The status of a request with a bound token and these header lines, spelled as they are."""
    parts = urlsplit(url)
    bearer = f"Authorization: Bearer {token or world.token(**bound_to(OWN))}"
    lines = ["GET /orders HTTP/1.1", f"Host: {parts.netloc}", "Connection: close", bearer]
    lines += [f"{name}: {value}" for name, value in headers]
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(received.split(b" ", 2)[1])


def refused(url: str, world: World, headers: Headers) -> str:
    """What the trace of the refusal says was seen."""
    assert ask(url, world, headers) == 401
    record = world.sink.records[-1]
    assert failed_check(record) == "sender_constraint"
    return record.checks[-1].seen


def test_only_the_proxys_own_word_counts(url: str, world: World, kind: str) -> None:
    _, name, written = KINDS[kind]
    own = (name, written(OWN))
    assert ask(url, world, [own, SECRET]) == 200
    assert "thumbprint" in refused(url, world, [(name, written(OTHER)), SECRET])
    # Nothing of it matters for a token that is bound to nothing.
    assert ask(url, world, [own], world.token()) == 200
    untrusted = "the certificate header came from an untrusted peer"
    assert refused(url, world, [own]).startswith(untrusted)
    assert refused(url, world, [own, (SECRET[0], SECRET[1][:-1] + "x")]).startswith(untrusted)
    assert refused(url, world, [own, SECRET, SECRET]).startswith(untrusted)
    assert refused(url, world, [(name.upper(), written(OWN))]).startswith(untrusted)
    assert refused(url, world, [(name.lower(), written(OWN))]).startswith(untrusted)
    assert refused(url, world, [SECRET]) == f"no header {name.lower()}"


def test_no_second_header_gets_past_the_proxys_own(url: str, world: World, kind: str) -> None:
    """What a client sends beside the proxy's header, where a proxy adds its own without taking the other away."""
    _, name, written = KINDS[kind]
    forged, own = written(OWN), (name, written(OTHER))
    for spelled in (name, name.upper(), name.lower(), name.replace("-", "_")):
        for sent in ([(spelled, forged), own], [own, (spelled, forged)]):
            refused(url, world, [*sent, SECRET])
    refused(url, world, [(name, f"{forged}, {own[1]}"), SECRET])
    refused(url, world, [(name, f"{forged};{own[1]}"), SECRET])
    refused(url, world, [(name, ""), (name, forged), SECRET])
    refused(url, world, [(name, ""), SECRET])


def test_an_underscore_is_no_hyphen_where_names_arrive_as_sent(url: str, world: World, kind: str, shell: Shell) -> None:
    _, name, written = KINDS[kind]
    sent = [(name.replace("-", "_"), written(OWN))]
    refused(url, world, sent)
    if shell.__name__ in ("asgi", "starlette", "fastapi", "django_asgi"):
        assert refused(url, world, [*sent, SECRET]).startswith("a header spelled ")


def test_an_underscore_is_no_hyphen_for_the_server_of_werkzeug(world: World, kind: str) -> None:
    """WSGI itself has one name for both: the server must drop the one with underscores, as this one does."""

    def inner(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"in"]

    certificates, name, written = KINDS[kind]
    app = WsgiGuard(inner, world.guard(client_certificates=certificates))
    with served_by_werkzeug(app) as url:
        assert ask(url, world, [(name, written(OWN)), SECRET]) == 200
        assert refused(url, world, [(name.replace("-", "_"), written(OWN)), SECRET]) == f"no header {name.lower()}"


def test_without_a_configured_proxy_no_header_counts_on_any_shell(shell: Shell, world: World) -> None:
    """standards 84: off by default."""
    with shell(world, False) as url:
        for _, name, written in KINDS.values():
            assert "counts for nothing here" in refused(url, world, [(name, written(OWN)), SECRET])
