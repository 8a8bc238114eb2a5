"""Tokens that are bound to a certificate: two formats, one rule (RFC 8705 sections 3 and 4, standards 79)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ostiary.authorization_server.certificate_keys import certificate_key
from ostiary.authorization_server.client_trust import Authorities, ConfiguredTrust
from ostiary.model.mutual_tls import MutualTls
from ostiary.protocol import token_format
from ostiary.protocol.certificate import read
from ostiary.revocation import Act
from tests.authorization_server.certificates import Made, authority, leaf, rsa_key, self_signed
from tests.authorization_server.world import BILLS, NOW, ORDERS, Answer, World, shop_world
from tests.endpoints.test_client_authentication import refused_by
from tests.endpoints.test_tls_client_auth import DNS, ask, trust

OWN, OTHER = self_signed("own"), self_signed("other")


@pytest.fixture(params=["self-contained", "reference"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """The usual world, whose orders take tokens of one format or the other; the tokens of ``shop`` are bound."""
    with shop_world(tmp_path) as built:
        api = built.read(lambda work: work.apis.get(ORDERS))
        built.write(lambda work: work.apis.replace(replace(api, token_format=request.param)))
        bind(built, "shop")
        yield built


def bind(world: World, client_id: str) -> None:
    """From now on the tokens of this client are bound."""
    client = world.read(lambda work: work.clients.get(client_id))
    bound = replace(client, mutual_tls=replace(client.mutual_tls, bound_tokens=True))
    world.write(lambda work: work.clients.replace(bound))


def by_key(world: World, shown: Made | None) -> Answer:
    """A token for ``shop``, which proves itself by its key, over a connection with this certificate."""
    world.certificate = None if shown is None else shown.der
    return world.token("shop", resource=ORDERS)


def told_by_the_token(token: str) -> Any:
    """What a self-contained token says itself."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def test_both_formats_name_the_certificate_in_the_same_words(world: World) -> None:
    """RFC 8705 3.1 and 3.2."""
    answer = by_key(world, OWN)
    assert (answer.status, answer.json["token_type"]) == (200, "Bearer")
    token = answer.json["access_token"]
    world.certificate = None
    confirmation = {"x5t#S256": OWN.thumbprint}
    assert world.introspect(token).json["cnf"] == confirmation
    if not token_format.looks_like(token):
        assert told_by_the_token(token)["cnf"] == confirmation


def test_the_token_of_a_client_that_is_not_registered_so_is_bound_to_nothing(world: World) -> None:
    world.certificate = OWN.der
    token = world.access_token("other", resource=BILLS)
    assert "cnf" not in world.introspect(token, "api_bills").json


def test_a_client_of_bound_tokens_gets_none_without_a_certificate(world: World) -> None:
    answer = by_key(world, None)
    refused_by(world, answer, "certificate", "invalid_request", 400)
    assert "mutual TLS" in answer.json["error_description"]
    assert "mtls_endpoint_aliases" in world.trace(answer).checks[-1].mend


BAD = {
    "no certificate": b"none",
    "expired": self_signed(begins=-100, ends=-1).der,
    "not yet valid": self_signed(begins=10).der,
    "weak": self_signed(key=rsa_key(1024)).der,
}


@pytest.mark.parametrize("bad", BAD)
def test_a_token_is_bound_to_a_good_certificate_alone(world: World, bad: str) -> None:
    world.certificate = BAD[bad]
    refused_by(world, world.token("shop", resource=ORDERS), "certificate", "invalid_request", 400)


def test_a_client_that_proves_itself_by_its_certificate_has_tokens_bound_to_it(world: World) -> None:
    root = authority()
    trust(world, root)
    mutual = MutualTls("san_dns", "shop.example.com", bound_tokens=True)
    world.add_client("tls", key=None, authentication_method="tls_client_auth", mutual_tls=mutual)
    made = leaf(root, DNS)
    token = ask(world, made).json["access_token"]
    assert world.introspect(token).json["cnf"] == {"x5t#S256": made.thumbprint}


def test_revoking_the_certificate_ends_what_is_bound_to_it(world: World) -> None:
    """Also a token that a key obtained: whoever stole the certificate's key could use it."""
    tokens = [by_key(world, one).json["access_token"] for one in (OWN, OTHER)]
    world.write(lambda work: work.revocations.append(Act("cli", NOW).row("client_key", OWN.thumbprint)))
    world.certificate = None
    assert [world.introspect(one).json["active"] for one in tokens] == [False, True]


def test_no_token_is_bound_to_a_certificate_that_was_revoked(world: World) -> None:
    class Revoking(ConfiguredTrust):
        async def revoked(self, certificate: object) -> bool:
            return True

    world.server.client_trust = Revoking(Authorities())
    refused_by(world, by_key(world, OWN), "certificate", "invalid_request", 400)


def test_no_token_is_bound_to_a_registered_certificate_that_was_revoked(world: World) -> None:
    """Whosever it was: here another client's."""
    client = world.add_client("own", key=None, authentication_method="self_signed_tls_client_auth")
    record = certificate_key(read(OWN.der), client, now=int(NOW), source="registered")
    world.write(lambda work: work.client_keys.add(replace(record, state="revoked")))
    refused_by(world, by_key(world, OWN), "certificate", "invalid_request", 400)


def test_an_issued_token_keeps_its_binding_in_its_record(world: World) -> None:
    by_key(world, OWN)
    rows = world.read(lambda work: work.tokens.of_client("shop", now=int(NOW)))
    assert [row.certificate_thumbprint for row in rows] == [OWN.thumbprint]
    assert all(row.key_thumbprint != OWN.thumbprint for row in rows)


def test_the_metadata_says_that_tokens_can_be_bound(world: World) -> None:
    """RFC 8705 3.3"""
    document = world.get("/.well-known/oauth-authorization-server").json
    assert document["tls_client_certificate_bound_access_tokens"] is True
