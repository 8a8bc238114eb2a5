"""The certificate in a proxy's header: believed only where the proxy proves itself. RFC 9440, standards 83-85."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from ostiary.errors import ConfigurationError
from ostiary.protocol.certificate_binding import thumbprint
from ostiary.resource_server import FromProxy, ProxyCertificate, ProxySecret, UnixSocket
from ostiary.resource_server.asgi import peer_of as asgi_peer
from ostiary.resource_server.peer import Peer
from ostiary.resource_server.wsgi import peer_of as wsgi_peer
from tests.resource_server.certificates import bound_to, client_cert, der, escaped, forwarded
from tests.resource_server.test_bound_tokens import OTHER, OWN, calling, token_of
from tests.resource_server.world import World, failed_check

PROXY = "proxy.example"
SECRET = "a secret of 32 characters or more"
BEHIND = Peer(certificate=der(PROXY))
HEADERS = {
    "client-cert": ("Client-Cert", client_cert),
    "x-forwarded-client-cert": ("X-Forwarded-Client-Cert", forwarded),
    "escaped-pem": ("X-SSL-Client-Cert", escaped),
}
kinds = pytest.mark.parametrize("kind", HEADERS)


def from_proxy(kind: Any, proxy: Any = None) -> FromProxy:
    header = "X-SSL-Client-Cert" if kind == "escaped-pem" else None
    return FromProxy(kind, header=header, proxy=proxy or ProxyCertificate(thumbprint(der(PROXY))))


def handed_on(kind: str, name: str) -> tuple[str, str]:
    header, written = HEADERS[kind]
    return header, written(name)


@kinds
@pytest.mark.parametrize("token_kind", ["self-contained", "reference"])
def test_the_certificate_that_the_proxy_hands_on_decides(world: World, kind: str, token_kind: str) -> None:
    """standards 84, 85."""
    guard = world.guard(identity=True, client_certificates=from_proxy(kind))
    token = token_of(world, token_kind, **bound_to(OWN))
    assert guard.check_sync(calling(token, BEHIND, handed_on(kind, OWN))).certificate_thumbprint
    refused, record = world.refusal(guard, calling(token, BEHIND, handed_on(kind, OTHER)))
    assert (refused.status, refused.code, failed_check(record)) == (401, "invalid_token", "sender_constraint")
    assert refused.description == "the token is bound to another certificate"


@kinds
@pytest.mark.parametrize(
    "peer",
    [Peer(), Peer(certificate=der(OWN)), Peer(unix_socket=True), Peer(certificate=der(PROXY), refused="expired")],
)
def test_from_an_untrusted_peer_the_header_is_as_good_as_absent(world: World, kind: str, peer: Peer) -> None:
    """attack 36."""
    guard = world.guard(client_certificates=from_proxy(kind))
    refused, record = world.refusal(guard, calling(world.token(**bound_to(OWN)), peer, handed_on(kind, OWN)))
    assert (refused.status, refused.code, failed_check(record)) == (401, "invalid_token", "sender_constraint")
    assert refused.description == "this token is bound to a client certificate"
    if not peer.refused:
        assert record.checks[-1].seen.startswith("the certificate header came from an untrusted peer")
    # What nobody asked to be bound is nobody's business.
    assert guard.check_sync(calling(world.token(), peer, handed_on(kind, OWN)))


@kinds
def test_the_certificate_of_the_connection_is_the_proxys_and_never_the_clients(world: World, kind: str) -> None:
    guard = world.guard(client_certificates=from_proxy(kind))
    for peer, name in ((Peer(certificate=der(OWN)), OWN), (BEHIND, PROXY)):
        refused, record = world.refusal(guard, calling(world.token(**bound_to(name)), peer))
        assert refused.status == 401
        assert record.checks[-1].seen == f"no header {HEADERS[kind][0].lower()}"


@kinds
@pytest.mark.parametrize(
    "fault",
    ["doubled", "joined", "empty", "underscore", "capitals", "beside itself in capitals", "another header"],
)
def test_a_doubtful_header_of_the_proxy_itself_is_refused(world: World, kind: str, fault: str) -> None:
    """attack 36; standards 85."""
    name, value = handed_on(kind, OWN)
    sent = {
        "doubled": [(name, value), (name, value)],
        "joined": [(name, f"{value}, {value}")],
        "empty": [(name, "")],
        "underscore": [(name.replace("-", "_"), value)],
        "capitals": [],
        "beside itself in capitals": [(name, value)],
        "another header": [("X-Other", value)],
    }[fault]
    asked = calling(world.token(**bound_to(OWN)), BEHIND, *sent)
    if "capitals" in fault:
        asked.headers = [*asked.headers, (name.upper().encode(), value.encode())]
    refused, record = world.refusal(world.guard(client_certificates=from_proxy(kind)), asked)
    assert (refused.status, refused.code, failed_check(record)) == (401, "invalid_token", "sender_constraint")


def test_a_chain_without_its_certificate_is_refused(world: World) -> None:
    """standards 85: Chain never without Cert."""
    asked = calling(world.token(**bound_to(OWN)), BEHIND, ("Client-Cert-Chain", client_cert(OWN)))
    _, record = world.refusal(world.guard(client_certificates=from_proxy("client-cert")), asked)
    assert record.checks[-1].seen == "Client-Cert-Chain without Client-Cert"
    beside = calling(
        world.token(**bound_to(OWN)), BEHIND, handed_on("client-cert", OWN), ("Client-Cert-Chain", client_cert(OTHER))
    )
    assert world.guard(client_certificates=from_proxy("client-cert")).check_sync(beside)


@pytest.mark.parametrize("kind", ["x-forwarded-client-cert", "escaped-pem"])
def test_a_header_of_another_kind_than_the_configured_one_counts_for_nothing(world: World, kind: str) -> None:
    asked = calling(world.token(**bound_to(OWN)), BEHIND, handed_on("client-cert", OWN))
    assert world.refusal(world.guard(client_certificates=from_proxy(kind)), asked)[0].status == 401


@pytest.mark.parametrize(
    "written",
    [
        sha256(der(PROXY)).hexdigest(),
        sha256(der(PROXY)).hexdigest().upper(),
        ":".join(f"{octet:02X}" for octet in sha256(der(PROXY)).digest()),
        thumbprint(der(PROXY)),
    ],
    ids=["hex", "upper-case", "colons", "base64url"],
)
def test_the_proxys_thumbprint_may_be_written_as_openssl_does(world: World, written: str) -> None:
    proof = ProxyCertificate(thumbprint(der(OTHER)), written)
    guard = world.guard(client_certificates=from_proxy("client-cert", proof))
    assert guard.check_sync(calling(world.token(**bound_to(OWN)), BEHIND, handed_on("client-cert", OWN)))


def test_a_proxy_on_a_unix_socket_is_known_by_the_socket(world: World) -> None:
    guard = world.guard(client_certificates=from_proxy("client-cert", UnixSocket()))
    asked = calling(world.token(**bound_to(OWN)), Peer(unix_socket=True), handed_on("client-cert", OWN))
    assert guard.check_sync(asked)
    network = calling(world.token(**bound_to(OWN)), BEHIND, handed_on("client-cert", OWN))
    assert "came by the network" in world.refusal(guard, network)[1].checks[-1].seen


@pytest.mark.parametrize(
    ("scope", "is_unix_socket"),
    [
        ({"client": None, "server": ("/run/api.sock", None)}, True),
        ({"server": ["/run/api.sock", None]}, True),
        ({"client": ("192.0.2.1", 4711), "server": ("/run/api.sock", None)}, False),
        # uvicorn does not know the address of a peer that has gone: a reset must not make a network a Unix socket.
        ({"client": None, "server": ("192.0.2.2", 443)}, False),
        ({"client": None, "server": None}, False),
        ({}, False),
    ],
)
def test_a_unix_socket_is_what_the_server_names_as_one(scope: dict[str, Any], is_unix_socket: bool) -> None:
    assert asgi_peer(scope).unix_socket is is_unix_socket


def test_a_wsgi_peer_with_an_empty_address_came_by_a_unix_socket() -> None:
    assert wsgi_peer({"REMOTE_ADDR": ""}).unix_socket
    assert not wsgi_peer({"REMOTE_ADDR": "127.0.0.1"}).unix_socket
    # WSGI below ASGI, of a peer that has reset its connection, as Starlette and a2wsgi tell of it: attack 36.
    assert not wsgi_peer({"SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8000"}).unix_socket
    # A middleware that takes the address from a header can be made to take an empty one.
    assert not wsgi_peer({"REMOTE_ADDR": "", "REMOTE_PORT": "4711"}).unix_socket


def test_a_proxy_with_a_secret_is_known_by_it(world: World) -> None:
    guard = world.guard(client_certificates=from_proxy("client-cert", ProxySecret("X-Proxy-Secret", SECRET)))
    token = world.token(**bound_to(OWN))
    own = handed_on("client-cert", OWN)
    assert guard.check_sync(calling(token, None, own, ("X-Proxy-Secret", SECRET)))
    for wrong in (
        [],
        [("X-Proxy-Secret", SECRET + "x")],
        [("X-Proxy-Secret", "")],
        [("X-Proxy-Secret", SECRET)] * 2,
        [("X_Proxy_Secret", SECRET)],
    ):
        refused, record = world.refusal(guard, calling(token, None, own, *wrong))
        assert (refused.status, failed_check(record)) == (401, "sender_constraint")
        assert SECRET not in repr(record)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: ProxyCertificate(),
        lambda: ProxyCertificate("abc"),
        lambda: ProxyCertificate("é" * 43),
        lambda: ProxyCertificate(thumbprint(der(PROXY))[:-1]),
        lambda: ProxyCertificate(der(PROXY).hex()),
        lambda: ProxySecret("X-Proxy-Secret", "short"),
        lambda: ProxySecret("Authorization", SECRET),
        lambda: ProxySecret("X Proxy", SECRET),
        lambda: FromProxy("escaped-pem", proxy=UnixSocket()),
        lambda: FromProxy("escaped-pem", header="Authorization", proxy=UnixSocket()),
        lambda: FromProxy("client-cert", header="X-Client-Cert", proxy=UnixSocket()),
        lambda: FromProxy("x509", proxy=UnixSocket()),  # type: ignore[arg-type]
    ],
)
def test_a_configuration_that_says_nothing_certain_is_an_error(wrong: Any) -> None:
    with pytest.raises(ConfigurationError):
        wrong()
