"""Every signed message in every state in which it must not do anything (attack 51 and RFC 8555 sections 6 and 7)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ostiary.admin.acme_credentials import revoke_credential
from ostiary.audit import tags
from ostiary.certificate_authority.acme.nonces import LIFE
from ostiary.certificate_authority.acme.problems import URN
from ostiary.protocol.jwk import SigningKey
from ostiary.revocation.act import Act
from tests.authorization_server.world import Answer, World
from tests.certificate_authority.acme.client import AcmeClient, Members, credential, csr, path_of, text, url
from tests.certificate_authority.acme.orders import NAME, STATES, finalized, in_state, ready

Message = tuple[str, Members | str]


def _new_order(client: AcmeClient) -> Message:
    return "/acme/new-order", {"identifiers": [{"type": "dns", "value": NAME}]}


def _account(client: AcmeClient) -> Message:
    return path_of(client.kid), ""


def _orders(client: AcmeClient) -> Message:
    return f"{path_of(client.kid)}/orders", ""


def _update(client: AcmeClient) -> Message:
    return path_of(client.kid), {"contact": ["mailto:new@example.com"]}


def _deactivate(client: AcmeClient) -> Message:
    return path_of(client.kid), {"status": "deactivated"}


def _order(client: AcmeClient) -> Message:
    return path_of(client.order(NAME).headers["location"]), ""


def _finalize(client: AcmeClient) -> Message:
    return path_of(ready(client).json["finalize"]), {"csr": csr(NAME)}


def _authorization(client: AcmeClient) -> Message:
    return path_of(client.order(NAME).json["authorizations"][0]), ""


def _deactivate_authorization(client: AcmeClient) -> Message:
    return path_of(client.order(NAME).json["authorizations"][0]), {"status": "deactivated"}


def _challenge(client: AcmeClient) -> Message:
    return path_of(client.challenge(client.order(NAME))["url"]), {}


def _certificate(client: AcmeClient) -> Message:
    return path_of(finalized(client).json["certificate"]), ""


def _revoke(client: AcmeClient) -> Message:
    serial = finalized(client).json["certificate"].rsplit("/", 1)[-1]
    found = client.world.read(lambda work: work.certificates.get(serial))
    return "/acme/revoke-cert", {"certificate": text(found.certificate)}


def _key_change(client: AcmeClient) -> Message:
    new = replace(client, key=SigningKey.generate("ES256"), kid="")
    header = {"alg": new.key.alg, "jwk": new.jwk(), "url": url("/acme/key-change")}
    members: Members = json.loads(new.signed(header, {"account": client.kid, "oldKey": client.jwk()}))
    return "/acme/key-change", members


MESSAGES: dict[str, Callable[[AcmeClient], Message]] = {
    "new order": _new_order,
    "account": _account,
    "orders": _orders,
    "update": _update,
    "deactivation": _deactivate,
    "order": _order,
    "finalize": _finalize,
    "authorization": _authorization,
    "deactivation of an authorization": _deactivate_authorization,
    "challenge": _challenge,
    "certificate": _certificate,
    "revocation": _revoke,
    "key change": _key_change,
}
OF_AN_OBJECT = [name for name in MESSAGES if name not in ("new order", "key change")]
every_message = pytest.mark.parametrize("message", MESSAGES)


def check_refused(world: World, answer: Answer, kind: str, status: int, check: str) -> None:
    """A problem document with its trace, an audit event and a fresh nonce."""
    assert (answer.json["type"].removeprefix(URN), answer.status) == (kind, status), answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["replay-nonce"]
    assert world.trace(answer).checks[-1].name == check
    row = world.audit()[-1]
    assert (row.tag, row.outcome, row.reason, row.trace_id) == (
        tags.ACME_REFUSED,
        "refused",
        check,
        answer.json["trace"],
    )


@every_message
def test_every_message_is_taken_when_nothing_is_wrong(client: AcmeClient, message: str) -> None:
    """The rows below are refused for what they change and for nothing else."""
    path, payload = MESSAGES[message](client)
    assert client.post(path, payload).status in (200, 201)


@pytest.mark.parametrize("message", OF_AN_OBJECT)
def test_what_belongs_to_another_account_is_refused(client: AcmeClient, message: str) -> None:
    path, payload = MESSAGES[message](client)
    stranger = client.other()
    assert stranger.register(credential(client.world)).status == 201
    answer = stranger.post(path, payload)
    assert answer.status in (403, 404), answer.body
    assert stranger.world.audit()[-1].tag == tags.ACME_REFUSED


@every_message
def test_a_deactivated_account_does_nothing(client: AcmeClient, message: str) -> None:
    path, payload = MESSAGES[message](client)
    assert client.post(path_of(client.kid), {"status": "deactivated"}).json["status"] == "deactivated"
    check_refused(client.world, client.post(path, payload), "unauthorized", 403, "account")


@every_message
def test_an_account_whose_credential_was_revoked_does_nothing(client: AcmeClient, message: str) -> None:
    path, payload = MESSAGES[message](client)
    world = client.world
    key_id = world.read(lambda work: work.acme_credentials.list())[0].key_id
    world.run(revoke_credential(world.storage, key_id, Act("cli", world.clock())))
    check_refused(world, client.post(path, payload), "unauthorized", 403, "credential")


@every_message
def test_a_nonce_is_good_once(client: AcmeClient, message: str) -> None:
    path, payload = MESSAGES[message](client)
    body = client.signed(client.header(path), payload)
    first = client.send(path, body)
    assert first.status in (200, 201)
    if message in ("deactivation", "key change"):
        return  # afterwards the account, or its key, is refused before the nonce is looked at
    check_refused(client.world, client.send(path, body), "badNonce", 400, "nonce")


BAD_HEADERS: dict[str, tuple[dict[str, Any], str, int, str]] = {
    "a nonce of somebody else": ({"nonce": "bm9uY2U"}, "badNonce", 400, "nonce"),
    "no nonce": ({"nonce": None}, "badNonce", 400, "nonce"),
    "another url": ({"url": url("/acme/new-account")}, "unauthorized", 403, "url"),
    "the url of another host": ({"url": "https://evil.example/acme/new-order"}, "unauthorized", 403, "url"),
    "no url": ({"url": None}, "malformed", 400, "header"),
    "another algorithm": ({"alg": "ES384"}, "badSignatureAlgorithm", 400, "algorithm"),
    "no algorithm": ({"alg": "none"}, "badSignatureAlgorithm", 400, "algorithm"),
    "a MAC": ({"alg": "HS256"}, "badSignatureAlgorithm", 400, "algorithm"),
    "no kid": ({"kid": None}, "malformed", 400, "header"),
    "a key beside the account": ({"jwk": {"kty": "EC"}}, "malformed", 400, "header"),
    "the account of nobody": ({"kid": url("/acme/account/nobody")}, "accountDoesNotExist", 400, "account"),
    "an account elsewhere": ({"kid": "https://evil.example/acme/account/a"}, "accountDoesNotExist", 400, "account"),
    "an extension": ({"crit": ["b64"], "b64": False}, "malformed", 400, "header"),
}


@every_message
@pytest.mark.parametrize("fault", BAD_HEADERS)
def test_a_protected_header_with_one_fault_is_refused(client: AcmeClient, message: str, fault: str) -> None:
    path, payload = MESSAGES[message](client)
    changes, kind, status, check = BAD_HEADERS[fault]
    check_refused(client.world, client.post(path, payload, **changes), kind, status, check)


@every_message
def test_a_signature_by_another_key_is_refused(client: AcmeClient, message: str) -> None:
    path, payload = MESSAGES[message](client)
    answer = client.post(path, payload, key=SigningKey.generate("ES256"))
    check_refused(client.world, answer, "malformed", 400, "signature")


@every_message
def test_a_key_in_the_header_does_not_stand_for_an_account(client: AcmeClient, message: str) -> None:
    path, payload = MESSAGES[message](client)
    answer = client.post(path, payload, kid=None, jwk=client.jwk())
    expected = ("unauthorized", 403, "key") if message == "revocation" else ("malformed", 400, "header")
    check_refused(client.world, answer, *expected)


@every_message
def test_an_old_nonce_is_refused(client: AcmeClient, message: str) -> None:
    path, payload = MESSAGES[message](client)
    body = client.signed(client.header(path), payload)
    client.world.clock.now += LIFE + 1
    check_refused(client.world, client.send(path, body), "badNonce", 400, "nonce")


@every_message
@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
def test_another_content_type_is_refused(client: AcmeClient, message: str, content_type: str) -> None:
    path, payload = MESSAGES[message](client)
    answer = client.send(path, client.signed(client.header(path), payload), content_type)
    check_refused(client.world, answer, "malformed", 415, "form")


@pytest.mark.parametrize("state", STATES)
def test_an_order_is_finalized_when_it_is_ready_and_not_before_or_after(client: AcmeClient, state: str) -> None:
    order = in_state(client, state)
    path = path_of(order.json["finalize"])
    answer = client.post(path, {"csr": csr(NAME)})
    if state == "ready":
        assert (answer.status, answer.json["status"]) == (200, "valid")
    else:
        check_refused(client.world, answer, "orderNotReady", 403, "order")


@pytest.mark.parametrize("state", ["ready", "valid", "invalid", "expired"])
def test_a_challenge_begins_only_while_its_authorization_is_pending(client: AcmeClient, state: str) -> None:
    order = client.order(NAME)
    challenge = client.challenge(order)
    world = client.world
    if state == "expired":
        world.clock.now += 24 * 3600 + 1
    else:
        authorization_id = order.json["authorizations"][0].rsplit("/", 1)[-1]
        found = world.read(lambda work: work.acme_orders.authorization(authorization_id))
        over = replace(found, state="invalid" if state == "invalid" else "valid")
        world.write(lambda work: work.acme_orders.move_authorization(over, was="pending"))
    answer = client.post(path_of(challenge["url"]), {})
    check_refused(world, answer, "malformed", 400, "authorization")


@pytest.mark.parametrize(
    "path", ["/acme/order/none", "/acme/authorization/none", "/acme/challenge/none", "/acme/certificate/none"]
)
def test_what_is_not_there_is_refused_like_what_is_not_yours(client: AcmeClient, path: str) -> None:
    answer = client.post(path)
    assert (answer.status, answer.json["type"]) == (404, URN + "malformed")


@pytest.mark.parametrize("message", ["order", "orders", "certificate"])
def test_what_is_only_read_takes_no_payload(client: AcmeClient, message: str) -> None:
    path, _ = MESSAGES[message](client)
    check_refused(client.world, client.post(path, {}), "malformed", 400, "format")
