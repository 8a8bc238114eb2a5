"""Orders, their end, and what comes after: identifiers, requests, revocation, renewal; each refused for one thing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509

from ostiary.certificate_authority.acme.ordering import ORDER_LIFE
from ostiary.certificate_authority.acme.problems import URN
from ostiary.certificate_authority.acme.renewal import certificate_id
from ostiary.protocol import jwk_members
from ostiary.protocol.jwk import parse_private_key
from tests.authorization_server.world import NOW, Answer
from tests.certificate_authority.acme.client import AcmeClient, credential, csr, path_of, text
from tests.certificate_authority.acme.conftest import configured
from tests.certificate_authority.acme.orders import NAME, finalized, ready
from tests.certificate_authority.authority import new_key, pem_of, weak_keys


def kind(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["type"].removeprefix(URN)


def identified(client: AcmeClient, *identifiers: Any) -> Answer:
    return client.post("/acme/new-order", {"identifiers": list(identifiers)})


# -- identifiers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ({"type": "dns", "value": "*.example.com"}, "rejectedIdentifier"),
        ({"type": "dns", "value": "www.example.org"}, "rejectedIdentifier"),
        ({"type": "dns", "value": "example.com.evil.org"}, "rejectedIdentifier"),
        ({"type": "dns", "value": "evilexample.com"}, "rejectedIdentifier"),
        ({"type": "dns", "value": "a b.example.com"}, "rejectedIdentifier"),
        ({"type": "dns", "value": "10.0.0.1"}, "rejectedIdentifier"),
        ({"type": "ip", "value": "192.168.0.1"}, "rejectedIdentifier"),
        ({"type": "ip", "value": "::ffff:10.0.0.1"}, "rejectedIdentifier"),
        ({"type": "ip", "value": "10.0.0.0/8"}, "rejectedIdentifier"),
        ({"type": "email", "value": "a@example.com"}, "unsupportedIdentifier"),
        ({"type": "dns"}, "malformed"),
        ("www.example.com", "malformed"),
    ],
)
def test_a_name_that_the_account_may_not_have_is_refused(client: AcmeClient, identifier: Any, expected: str) -> None:
    assert kind(identified(client, identifier)) == (400, expected)


def test_several_refused_names_are_told_apart(client: AcmeClient) -> None:
    names = [{"type": "dns", "value": value} for value in (NAME, "*.example.com", "www.example.org")]
    answer = identified(client, *names)
    assert [one["identifier"]["value"] for one in answer.json["subproblems"]] == ["*.example.com", "www.example.org"]


@pytest.mark.parametrize("names", [[], [NAME, NAME], [NAME, NAME.upper()], ["a.example.com"] * 21])
def test_an_order_is_for_some_names_each_once(client: AcmeClient, names: list[str]) -> None:
    assert kind(identified(client, *({"type": "dns", "value": name} for name in names))) == (400, "malformed")


def test_a_name_outside_the_constraints_of_the_ca_is_refused_before_anything_is_proved(client: AcmeClient) -> None:
    other = client.other()
    other.register(credential(client.world, dns=("example.net",)))
    assert kind(other.order("www.example.net")) == (400, "rejectedIdentifier")


def test_an_address_is_proved_by_http_or_tls_and_never_by_dns(client: AcmeClient) -> None:
    order = client.order("10.0.0.1")
    assert order.json["identifiers"] == [{"type": "ip", "value": "10.0.0.1"}]
    challenges = client.post(path_of(order.json["authorizations"][0])).json["challenges"]
    assert [one["type"] for one in challenges] == ["http-01", "tls-alpn-01"]
    assert finalized(client, "10.0.0.1").json["status"] == "valid"


def test_open_orders_of_an_account_are_bounded(client: AcmeClient) -> None:
    configured(client.world, max_open_orders=2)
    assert [client.order(NAME).status for _ in range(3)] == [201, 201, 429]


# -- times ------------------------------------------------------------------------------------------------------------


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def test_an_end_within_the_bounds_is_kept(client: AcmeClient) -> None:
    done = finalized(client, notAfter=moment(NOW + 3600))
    leaf = x509.load_pem_x509_certificates(client.post(path_of(done.json["certificate"])).body)[0]
    assert leaf.not_valid_after_utc.timestamp() == int(NOW) + 3600


@pytest.mark.parametrize(
    "times",
    [
        {"notBefore": moment(NOW)},
        {"notAfter": moment(NOW - 1)},
        {"notAfter": moment(NOW + 91 * 86_400)},
        {"notAfter": "tomorrow"},
        {"notAfter": 12},
        {"notAfter": moment(NOW + 3600).removesuffix("+00:00")},
    ],
)
def test_times_out_of_bounds_are_refused(client: AcmeClient, times: dict[str, Any]) -> None:
    assert kind(client.order(NAME, **times)) == (400, "malformed")


# -- the request for the certificate ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_text",
    [
        csr("www.example.com", "api.example.com"),
        csr("api.example.com"),
        csr(),
        csr("www.example.com", common_name="api.example.com"),
        csr("www.example.com", ca=True),
        csr("www.example.com", "uri:spiffe://trust.example.com/orders"),
        text(b"no request"),
        "",
        7,
        None,
    ],
)
def test_a_request_for_anything_but_the_order_is_refused(client: AcmeClient, request_text: Any) -> None:
    order = ready(client)
    answer = client.post(path_of(order.json["finalize"]), {"csr": request_text})
    assert answer.status == 400
    assert answer.json["type"].removeprefix(URN) in ("badCSR", "malformed")
    again = client.post(path_of(order.json["finalize"]), {"csr": csr(NAME)})
    assert again.json["status"] == "valid"  # the order can still be finalized


def test_a_request_may_name_the_identifier_as_its_common_name_alone(client: AcmeClient) -> None:
    order = ready(client)
    assert client.post(path_of(order.json["finalize"]), {"csr": csr(common_name=NAME)}).json["status"] == "valid"


@pytest.mark.parametrize(("name", "key"), weak_keys())
def test_a_weak_key_gets_no_certificate(client: AcmeClient, name: str, key: Any) -> None:
    order = ready(client)
    answer = client.post(path_of(order.json["finalize"]), {"csr": csr(NAME, key=key)})
    assert kind(answer) == (400, "badPublicKey"), name


def test_the_key_of_the_account_gets_no_certificate(client: AcmeClient) -> None:
    key = jwk_members.private_key(client.key.private_jwk())
    order = ready(client)
    assert kind(client.post(path_of(order.json["finalize"]), {"csr": csr(NAME, key=key)})) == (400, "badPublicKey")


def test_the_key_of_somebody_elses_certificate_gets_none_and_leaves_the_order_ready(client: AcmeClient) -> None:
    key = new_key()
    order = ready(client)
    client.post(path_of(order.json["finalize"]), {"csr": csr(NAME, key=key)})
    other = client.other()
    made = credential(client.world)
    owner = "dev"
    client.world.write(lambda work: work.acme_credentials.add(_owned(made.credential, owner)))
    other.register(made)
    account_id = other.kid.rsplit("/", 1)[-1]
    account = client.world.read(lambda work: work.acme_accounts.get(account_id))
    client.world.write(lambda work: work.acme_accounts.replace(_owned(account, owner)))
    theirs = ready(other)
    assert kind(other.post(path_of(theirs.json["finalize"]), {"csr": csr(NAME, key=key)})) == (400, "badPublicKey")
    assert other.post(path_of(theirs.headers["location"])).json["status"] == "ready"


def _owned(record: Any, owner: str) -> Any:
    return replace(record, owner=owner)


# -- revocation -------------------------------------------------------------------------------------------------------


def der_of(client: AcmeClient, done: Answer) -> str:
    serial = done.json["certificate"].rsplit("/", 1)[-1]
    found = client.world.read(lambda work: work.certificates.get(serial))
    return text(found.certificate)


def test_an_account_revokes_its_certificate_once_with_a_reason(client: AcmeClient) -> None:
    done = finalized(client)
    der = der_of(client, done)
    assert client.post("/acme/revoke-cert", {"certificate": der, "reason": 1}).status == 200
    serial = done.json["certificate"].rsplit("/", 1)[-1]
    found = client.world.read(lambda work: work.certificates.get(serial))
    assert (found.state(NOW), found.reason) == ("revoked", "keyCompromise")
    assert kind(client.post("/acme/revoke-cert", {"certificate": der})) == (400, "alreadyRevoked")


def test_the_key_of_a_certificate_revokes_it_without_an_account(client: AcmeClient) -> None:
    key, order = new_key(), ready(client)
    done = client.post(path_of(order.json["finalize"]), {"csr": csr(NAME, key=key)})
    holder = AcmeClient(client.world, parse_private_key(pem_of(key)))
    assert holder.post("/acme/revoke-cert", {"certificate": der_of(client, done), "reason": 4}).status == 200


def test_an_account_that_has_proved_every_name_of_a_certificate_revokes_it(client: AcmeClient) -> None:
    """RFC 8555 section 7.6: "an account that holds authorizations for all of the identifiers in the certificate"."""
    der = der_of(client, finalized(client, NAME, "api.example.com"))
    other = client.other()
    other.register(credential(client.world))
    ready(other, NAME)
    assert kind(other.post("/acme/revoke-cert", {"certificate": der})) == (403, "unauthorized")
    ready(other, "api.example.com")
    assert other.post("/acme/revoke-cert", {"certificate": der}).status == 200


@pytest.mark.parametrize("ending", ["expiry", "deactivation"])
def test_an_authorization_that_has_ended_revokes_nothing(client: AcmeClient, ending: str) -> None:
    der = der_of(client, finalized(client))
    other = client.other()
    other.register(credential(client.world))
    order = ready(other)
    if ending == "expiry":
        client.world.clock.now += ORDER_LIFE
    else:
        other.post(path_of(order.json["authorizations"][0]), {"status": "deactivated"})
    assert kind(other.post("/acme/revoke-cert", {"certificate": der})) == (403, "unauthorized")


@pytest.mark.parametrize("reason", [2, 6, 8, 9, 10, 11, -1, "1", True, None, 1.5, [1]])
def test_another_reason_is_refused(client: AcmeClient, reason: Any) -> None:
    der = der_of(client, finalized(client))
    answer = client.post("/acme/revoke-cert", {"certificate": der, "reason": reason})
    assert kind(answer) == (400, "badRevocationReason")


# -- renewal (RFC 9773) -----------------------------------------------------------------------------------------------


def issued(client: AcmeClient, done: Answer) -> x509.Certificate:
    return x509.load_pem_x509_certificates(client.post(path_of(done.json["certificate"])).body)[0]


def test_the_window_for_a_renewal_begins_at_two_thirds_of_the_life(client: AcmeClient) -> None:
    leaf = issued(client, finalized(client))
    answer = client.world.get(f"/acme/renewal-info/{certificate_id(leaf)}")
    window = answer.json["suggestedWindow"]
    start, end = (datetime.fromisoformat(window[name]) for name in ("start", "end"))
    life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    assert abs((start - leaf.not_valid_before_utc) / life - 2 / 3) < 0.001
    assert start < end < leaf.not_valid_after_utc
    assert int(answer.headers["retry-after"]) > 0


def test_a_revoked_certificate_is_to_be_renewed_at_once(client: AcmeClient) -> None:
    done = finalized(client)
    leaf = issued(client, done)
    client.post("/acme/revoke-cert", {"certificate": der_of(client, done)})
    window = client.world.get(f"/acme/renewal-info/{certificate_id(leaf)}").json["suggestedWindow"]
    assert datetime.fromisoformat(window["end"]).timestamp() < NOW


@pytest.mark.parametrize("named", ["", "a", "a.b", ".", "AAAA.AAAA", "AAAA.AQ", "a.b.c", "%2e.%2e"])
def test_renewal_information_of_nothing_is_not_found(client: AcmeClient, named: str) -> None:
    answer = client.world.get(f"/acme/renewal-info/{named}")
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")


def test_a_certificate_has_one_successor(client: AcmeClient) -> None:
    named = certificate_id(issued(client, finalized(client)))
    assert client.order(NAME, replaces=named).json["replaces"] == named
    assert kind(client.order(NAME, replaces=named)) == (409, "alreadyReplaced")


def test_only_the_own_certificate_for_such_a_name_is_replaced(client: AcmeClient) -> None:
    named = certificate_id(issued(client, finalized(client)))
    assert kind(client.order("api.example.com", replaces=named)) == (400, "malformed")
    other = client.other()
    other.register(credential(client.world))
    assert kind(other.order(NAME, replaces=named)) == (400, "malformed")
    assert kind(client.order(NAME, replaces="nothing")) == (400, "malformed")
    of_another_authority = text(b"another key") + "." + named.partition(".")[2]
    assert kind(client.order(NAME, replaces=of_another_authority)) == (400, "malformed")


# -- where there is nothing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/acme/directory", "/acme/new-nonce", "/acme/renewal-info/a.b"])
def test_nothing_is_served_while_acme_is_off(client: AcmeClient, path: str) -> None:
    configured(client.world, enabled=False)
    assert client.world.get(path).status == 404


def test_no_order_is_taken_while_there_is_no_ca(client: AcmeClient) -> None:
    world = client.world
    active = [one for one in world.server.authorities.records() if one.kind == "issuing"]
    for one in active:
        world.write(lambda work, one=one: work.authorities.replace(_state(one, "retired")))
    assert kind(client.order(NAME)) == (503, "serverInternal")


def _state(record: Any, state: str) -> Any:
    return replace(record, state=state)
