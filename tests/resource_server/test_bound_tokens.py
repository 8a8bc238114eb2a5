"""Tokens that are bound to a certificate, at an API that ends TLS itself: RFC 8705 section 3."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol.certificate_binding import thumbprint
from ostiary.resource_server import ApiRequest, FromTls, Refused, ResourceServer
from ostiary.resource_server.peer import Peer
from tests.resource_server.certificates import bound_to, client_cert, der, pem
from tests.resource_server.world import DIRECT, World, failed_check

OWN, OTHER = "client.example", "sibling.example"


def calling(token: str, peer: Peer | None = None, *headers: tuple[str, str], name: str = "Authorization") -> ApiRequest:
    """A request with ``token`` from ``peer``."""
    value = f"Bearer {token}" if name == "Authorization" else token
    pairs = [(each.lower().encode(), text.encode()) for each, text in ((name, value), *headers)]
    return ApiRequest("GET", "/orders", headers=pairs, peer=lambda: peer or Peer())


def token_of(world: World, kind: str, **changed: Any) -> str:
    """Two formats, one rule: the same claims in a self-contained token, or told about a reference."""
    if kind == "self-contained":
        return world.token(**changed)
    return world.issuer.reference(**world.claims(**changed))


both_formats = pytest.mark.parametrize("kind", ["self-contained", "reference"])


@both_formats
def test_a_bound_token_is_admitted_with_its_certificate_alone(world: World, kind: str) -> None:
    """standards 79."""
    guard = world.guard(identity=True)
    token = token_of(world, kind, **bound_to(OWN))
    principal = guard.check_sync(calling(token, Peer(certificate=der(OWN))), ["orders:read"])
    assert principal.certificate_thumbprint == thumbprint(der(OWN))
    refused, record = world.refusal(guard, calling(token, Peer(certificate=der(OTHER))))
    assert (refused.status, refused.code) == (401, "invalid_token")
    assert refused.description == "the token is bound to another certificate"
    assert failed_check(record) == "sender_constraint"
    assert record.checks[-1].seen.endswith(thumbprint(der(OTHER)))
    assert "ask for a new token" in record.checks[-1].mend


@both_formats
def test_a_bound_token_without_a_certificate_is_refused_and_told_what_to_do(world: World, kind: str) -> None:
    refused, record = world.refusal(world.guard(identity=True), calling(token_of(world, kind, **bound_to(OWN))))
    assert (refused.status, refused.code) == (401, "invalid_token")
    assert refused.description == "this token is bound to a client certificate"
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
    assert failed_check(record) == "sender_constraint"
    assert record.checks[-1].seen == "no client certificate"
    assert "mutual TLS" in record.checks[-1].mend


@both_formats
def test_a_token_seen_before_needs_its_certificate_again(world: World, kind: str) -> None:
    """The certificate belongs to the request, not to the token's entry in a cache."""
    guard = world.guard(identity=True)
    token = token_of(world, kind, **bound_to(OWN))
    for _ in range(2):
        assert guard.check_sync(calling(token, Peer(certificate=der(OWN))))
        for stranger in (Peer(), Peer(certificate=der(OTHER))):
            assert failed_check(world.refusal(guard, calling(token, stranger))[1]) == "sender_constraint"


def test_the_certificate_is_looked_at_before_scopes_are_told(world: World) -> None:
    """Whoever stole a token learns nothing of it."""
    refused, _ = world.refusal(world.guard(), calling(world.token(**bound_to(OWN))), "orders:write")
    assert refused.status == 401


def test_the_second_part_of_a_framework_that_asks_checks_it_too(world: World) -> None:
    guard = world.guard()
    token = world.token(**bound_to(OWN))
    principal = guard.check_sync(calling(token, Peer(certificate=der(OWN))))
    guard.allow(calling(token, Peer(certificate=der(OWN))), principal, ["orders:read"])
    with pytest.raises(Refused, match="bound to another certificate"):
        guard.allow(calling(token, Peer(certificate=der(OTHER))), principal, ["orders:read"])


@both_formats
@pytest.mark.parametrize(
    "cnf",
    [
        {"x5t#S256": thumbprint(der(OWN)), "jkt": "x"},
        {"jkt": thumbprint(der(OWN))},
        {"x5t#S256": thumbprint(der(OWN))[:-1]},
        {"x5t#S256": 7},
        {},
    ],
)
def test_a_confirmation_that_cannot_be_checked_is_refused_with_any_certificate(
    world: World, kind: str, cnf: dict[str, object]
) -> None:
    asked = calling(token_of(world, kind, cnf=cnf), Peer(certificate=der(OWN)))
    refused, record = world.refusal(world.guard(identity=True), asked)
    assert (refused.status, failed_check(record)) == (401, "sender_constraint")


def test_a_certificate_that_the_tls_layer_refused_counts_for_nothing(world: World) -> None:
    peer = Peer(certificate=pem(OWN), refused="self-signed certificate")
    _, record = world.refusal(world.guard(), calling(world.token(**bound_to(OWN)), peer))
    assert "self-signed certificate" in record.checks[-1].seen


def test_the_chain_in_pem_that_other_servers_give_will_do(world: World) -> None:
    peer = Peer(certificate=pem(OWN))
    assert world.guard().check_sync(calling(world.token(**bound_to(OWN)), peer)).certificate_thumbprint


@pytest.mark.parametrize("header", ["Client-Cert", "X-Forwarded-Client-Cert", "X-SSL-Client-Cert"])
def test_no_header_counts_unless_a_proxy_is_configured(world: World, header: str) -> None:
    """standards 84: off by default."""
    asked = calling(world.token(**bound_to(OWN)), None, (header, client_cert(OWN)))
    refused, record = world.refusal(world.guard(), asked)
    assert refused.status == 401
    assert record.checks[-1].seen.endswith(f"and {header.lower()}, which counts for nothing here")
    assert "client_certificates=FromProxy" in record.checks[-1].mend


def test_a_wsgi_servers_variable_counts_only_where_it_is_named(world: World) -> None:
    variables = {"SSL_CLIENT_CERT": pem(OWN), "SSL_CLIENT_VERIFY": "SUCCESS"}
    asked = calling(world.token(**bound_to(OWN)), Peer(variables=variables))
    assert world.refusal(world.guard(), asked)[0].status == 401
    named = FromTls(wsgi_variable="SSL_CLIENT_CERT")
    assert world.guard(client_certificates=named).check_sync(asked).certificate_thumbprint


@pytest.mark.parametrize(
    ("variables", "seen"),
    [
        ({}, "no client certificate"),
        ({"SSL_CLIENT_CERT": ""}, "no client certificate"),
        ({"SSL_CLIENT_CERT": "x"}, "not one certificate in PEM"),
        ({"SSL_CLIENT_CERT": 7}, "not one certificate in PEM"),
        ({"SSL_CLIENT_CERT": pem(OWN) * 2}, "more than one PEM block"),
        ({"SSL_CLIENT_CERT": pem(OWN), "SSL_CLIENT_VERIFY": "FAILED:expired"}, "SSL_CLIENT_VERIFY FAILED:expired"),
        ({"SSL_CLIENT_CERT": pem(OWN), "SSL_CLIENT_VERIFY": "GENEROUS"}, "SSL_CLIENT_VERIFY GENEROUS"),
        ({"HTTP_SSL_CLIENT_CERT": pem(OWN)}, "no client certificate"),
    ],
)
def test_a_wsgi_variable_that_leaves_a_doubt_is_refused(world: World, variables: dict[str, object], seen: str) -> None:
    guard = world.guard(client_certificates=FromTls(wsgi_variable="SSL_CLIENT_CERT"))
    _, record = world.refusal(guard, calling(world.token(**bound_to(OWN)), Peer(variables=variables)))
    assert record.checks[-1].seen == seen


@pytest.mark.parametrize("variable", ["HTTP_SSL_CLIENT_CERT", ""])
def test_what_clients_can_send_is_no_servers_variable(variable: str) -> None:
    with pytest.raises(ConfigurationError, match="HTTP_"):
        FromTls(wsgi_variable=variable)


@both_formats
def test_an_api_may_take_bound_tokens_only(world: World, kind: str) -> None:
    guard = world.guard(identity=True, require_bound_tokens=True)
    peer = Peer(certificate=der(OWN))
    refused, record = world.refusal(guard, calling(token_of(world, kind), peer))
    assert (refused.status, refused.code, failed_check(record)) == (401, "invalid_token", "sender_constraint")
    assert refused.description == "this API takes tokens that are bound to a certificate"
    assert guard.check_sync(calling(token_of(world, kind, **bound_to(OWN)), peer))


def test_what_step_up_makes_of_a_guard_takes_bound_tokens_only_too(world: World) -> None:
    guard = world.guard(require_bound_tokens=True).step_up()
    assert world.refusal(guard, calling(world.token(), Peer(certificate=der(OWN))))[0].status == 401


def test_a_clients_own_jwt_proves_its_key_and_needs_no_certificate(world: World) -> None:
    guard = world.guard(direct=True, require_bound_tokens=True)
    assert guard.check_sync(calling(world.direct(world.client_key()), name=DIRECT)).certificate_thumbprint is None


def test_a_bearer_token_is_admitted_as_before_and_no_certificate_is_asked_for(world: World) -> None:
    class Never:
        def of(self, request: ApiRequest) -> bytes:
            raise VerificationError("certificate", "asked for")

    guard = world.guard(client_certificates=Never())
    principal = guard.check_sync(calling(world.token(), Peer(certificate=der(OWN))))
    assert principal.certificate_thumbprint is None


def test_the_metadata_tells_that_tokens_must_be_bound(world: World) -> None:
    """RFC 9728 section 2."""

    def told(guard: ResourceServer) -> object:
        return json.loads(guard.protected_resource_metadata()).get("tls_client_certificate_bound_access_tokens")

    assert told(world.guard(require_bound_tokens=True)) is True
    assert told(world.guard()) is None


def test_no_refusal_of_a_bound_token_may_be_kept_by_a_cache(world: World) -> None:
    """standards 86: what depends on the certificate is uncacheable."""
    refused, _ = world.refusal(world.guard(), calling(world.token(**bound_to(OWN))))
    assert refused.headers["Cache-Control"] == "no-store"
