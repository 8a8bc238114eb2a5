"""Accounts and their bindings: RFC 8555 section 7.3, each check with one request in which it alone fails."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ostiary.admin.acme_credentials import revoke_credential
from ostiary.certificate_authority.acme.problems import URN
from ostiary.protocol.jwk import SigningKey
from ostiary.revocation.act import Act
from tests.authorization_server.world import Answer, World
from tests.certificate_authority.acme.client import AcmeClient, credential, csr, path_of, text, url
from tests.certificate_authority.acme.conftest import configured
from tests.certificate_authority.acme.orders import ready
from tests.certificate_authority.authority import Ca


@pytest.fixture
def stranger(world: World, ca: Ca) -> AcmeClient:
    """A client without an account."""
    return AcmeClient(world)


def kind(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["type"].removeprefix(URN)


def test_an_account_is_made_once_for_a_key(stranger: AcmeClient) -> None:
    made = credential(stranger.world)
    first = stranger.register(made, contact=["mailto:ops@example.com"], termsOfServiceAgreed=True)
    assert (first.status, first.json["status"], first.json["contact"]) == (201, "valid", ["mailto:ops@example.com"])
    stranger.kid = ""
    again = stranger.register(made)
    assert (again.status, again.headers["location"]) == (200, first.headers["location"])


def test_an_account_is_only_looked_up_when_that_is_asked(stranger: AcmeClient) -> None:
    answer = stranger.register(onlyReturnExisting=True)
    assert kind(answer) == (400, "accountDoesNotExist")
    stranger.register(credential(stranger.world))
    found = stranger.kid
    stranger.kid = ""
    assert stranger.register(onlyReturnExisting=True).headers["location"] == found


def test_an_account_needs_a_binding(stranger: AcmeClient) -> None:
    assert kind(stranger.register()) == (403, "externalAccountRequired")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"kid": "nobody"}, (403, "unauthorized")),
        ({"mac_key": b"another key"}, (403, "unauthorized")),
        ({"url": url("/acme/new-order")}, (400, "malformed")),
        ({"nonce": "a-nonce"}, (400, "malformed")),
        ({"alg": "ES256"}, (400, "malformed")),
        ({"alg": "none"}, (400, "malformed")),
        ({"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}, (400, "malformed")),
        ({"kid": None}, (400, "malformed")),
    ],
)
def test_a_binding_with_one_fault_is_refused(
    stranger: AcmeClient, changes: dict[str, Any], expected: tuple[int, str]
) -> None:
    made = credential(stranger.world)
    answer = stranger.post("/acme/new-account", {"externalAccountBinding": stranger.binding(made, **changes)})
    assert kind(answer) == expected, answer.body


def test_a_binding_made_for_another_key_is_refused(stranger: AcmeClient) -> None:
    other = stranger.other()
    bound = other.binding(credential(stranger.world))
    assert kind(stranger.post("/acme/new-account", {"externalAccountBinding": bound})) == (400, "malformed")


def test_a_binding_by_a_revoked_credential_is_refused(stranger: AcmeClient) -> None:
    world, made = stranger.world, credential(stranger.world)
    world.run(revoke_credential(world.storage, made.credential.key_id, Act("cli", world.clock())))
    assert kind(stranger.register(made)) == (403, "unauthorized")


def test_the_terms_of_service_must_be_agreed_to_where_there_are_some(stranger: AcmeClient) -> None:
    configured(stranger.world, terms_of_service="https://www.example.com/terms")
    made = credential(stranger.world)
    refused = stranger.register(made)
    assert kind(refused) == (403, "userActionRequired")
    assert '<https://www.example.com/terms>;rel="terms-of-service"' in refused.all_headers("link")
    assert stranger.register(made, termsOfServiceAgreed=True).status == 201
    directory = stranger.world.get("/acme/directory").json
    assert directory["meta"] == {
        "externalAccountRequired": True,
        "termsOfService": "https://www.example.com/terms",
    }


@pytest.mark.parametrize(
    ("contact", "expected"),
    [
        ("mailto:ops@example.com", "invalidContact"),
        (["tel:+12025551212"], "unsupportedContact"),
        (["mailto:ops@example.com,dev@example.com"], "invalidContact"),
        (["mailto:ops@example.com?subject=a"], "invalidContact"),
        (["mailto:nobody"], "invalidContact"),
        (["mailto:a@example.com"] * 11, "invalidContact"),
    ],
)
def test_contacts_that_nobody_can_be_reached_by_are_refused(
    stranger: AcmeClient, contact: object, expected: str
) -> None:
    assert kind(stranger.register(credential(stranger.world), contact=contact)) == (400, expected)


def test_a_credential_has_a_bounded_number_of_accounts(stranger: AcmeClient) -> None:
    configured(stranger.world, max_accounts=1)
    made = credential(stranger.world)
    assert stranger.register(made).status == 201
    assert kind(stranger.other().register(made)) == (429, "rateLimited")


def test_without_a_binding_an_account_may_ask_for_what_the_settings_say(stranger: AcmeClient) -> None:
    configured(stranger.world, external_account_required=False, unbound_dns=["lab.example.com"])
    assert stranger.register().status == 201
    assert stranger.order("a.lab.example.com").status == 201
    assert kind(stranger.order("www.example.com")) == (400, "rejectedIdentifier")


def test_once_bindings_are_required_an_account_without_one_gets_nothing(stranger: AcmeClient) -> None:
    configured(stranger.world, external_account_required=False, unbound_dns=["lab.example.com"])
    assert stranger.register().status == 201
    order = ready(stranger, "a.lab.example.com")
    configured(stranger.world, external_account_required=True, unbound_dns=["lab.example.com"])
    assert kind(stranger.order("b.lab.example.com")) == (400, "rejectedIdentifier")
    answer = stranger.post(path_of(order.json["finalize"]), {"csr": csr("a.lab.example.com")})
    assert kind(answer) == (400, "rejectedIdentifier")


def test_an_account_that_was_deactivated_is_not_made_again(client: AcmeClient) -> None:
    client.post(path_of(client.kid), {"status": "deactivated"})
    client.kid = ""
    assert kind(client.register(credential(client.world))) == (403, "unauthorized")


def test_an_account_gets_other_contacts_and_nothing_else(client: AcmeClient) -> None:
    changed = client.post(path_of(client.kid), {"contact": ["mailto:new@example.com"], "orders": "x", "owner": "me"})
    assert (changed.json["contact"], changed.json["status"]) == (["mailto:new@example.com"], "valid")
    account = client.world.read(lambda work: work.acme_accounts.get(client.kid.rsplit("/", 1)[-1]))
    assert account.owner == "ops"


# -- another key ------------------------------------------------------------------------------------------------------


def change(client: AcmeClient, new: AcmeClient, payload: dict[str, Any] | None = None, **header: Any) -> Answer:
    """A change of key; ``payload`` and ``header`` change the inner JWS."""
    members = {"account": client.kid, "oldKey": client.jwk(), **(payload or {})}
    inner = {"alg": new.key.alg, "jwk": new.jwk(), "url": url("/acme/key-change"), **header}
    inner = {name: value for name, value in inner.items() if value is not None}
    return client.post("/acme/key-change", json.loads(new.signed(inner, members)))


@pytest.mark.parametrize("alg", ["ES256", "ES384", "EdDSA", "RS256"])
def test_an_account_gets_another_key_of_every_kind(client: AcmeClient, alg: str) -> None:
    new = replace(client, key=SigningKey.generate(alg))
    assert change(client, new).status == 200
    assert client.order("www.example.com").status == 400  # the old key signs nothing any more
    assert new.order("www.example.com").status == 201


@pytest.mark.parametrize(
    ("payload", "header", "expected"),
    [
        ({"account": url("/acme/account/other")}, {}, (403, "unauthorized")),
        ({"oldKey": {}}, {}, (400, "malformed")),
        ({"oldKey": "text"}, {}, (400, "malformed")),
        ({}, {"url": url("/acme/new-order")}, (400, "malformed")),
        ({}, {"nonce": "a"}, (400, "malformed")),
        ({}, {"jwk": None, "kid": "a"}, (400, "malformed")),
        ({}, {"alg": "HS256"}, (400, "badSignatureAlgorithm")),
    ],
)
def test_a_change_of_key_with_one_fault_is_refused(
    client: AcmeClient, payload: dict[str, Any], header: dict[str, Any], expected: tuple[int, str]
) -> None:
    new = replace(client, key=SigningKey.generate("ES256"))
    assert kind(change(client, new, payload, **header)) == expected


def test_the_new_key_must_sign_too(client: AcmeClient) -> None:
    new = replace(client, key=SigningKey.generate("ES256"))
    inner = {"alg": "ES256", "jwk": new.jwk(), "url": url("/acme/key-change")}
    forged = client.signed(inner, {"account": client.kid, "oldKey": client.jwk()})
    assert kind(client.post("/acme/key-change", json.loads(forged))) == (400, "malformed")


def test_the_key_of_another_account_is_refused_and_its_account_named(client: AcmeClient) -> None:
    other = client.other()
    other.register(credential(client.world))
    answer = change(client, replace(other, kid=client.kid))
    assert (answer.status, answer.headers["location"]) == (409, other.kid)


def test_the_orders_of_an_account_are_listed(client: AcmeClient) -> None:
    order = client.order("www.example.com")
    assert client.post(f"{path_of(client.kid)}/orders").json["orders"] == [order.headers["location"]]


def test_keys_that_are_too_weak_get_no_account(stranger: AcmeClient) -> None:
    weak = {"kty": "RSA", "n": text(b"\x80" + bytes(126) + b"\x01"), "e": "AQAB"}
    answer = stranger.post("/acme/new-account", {}, jwk=weak, alg="RS256")
    assert kind(answer) == (400, "badPublicKey")


def test_too_many_requests_of_one_account_are_refused(client: AcmeClient) -> None:
    world = client.world
    configured(world, requests_per_minute=2)
    world.server.__post_init__()
    answers = [client.post(path_of(client.kid)) for _ in range(3)]
    assert [one.status for one in answers] == [200, 200, 429]
    assert (kind(answers[2]), answers[2].headers["retry-after"]) == ((429, "rateLimited"), "10")
