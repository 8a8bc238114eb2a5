"""Clients with certificates over the admin API: registered, changed, told; and bound tokens at the admin API itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ostiary.model.mutual_tls import MutualTls
from tests.admin.room import Room, public
from tests.authorization_server.certificates import Made, rsa_key, self_signed
from tests.authorization_server.world import NOW, signing_key

OWN = self_signed()
SUBJECT = {"kind": "san_dns", "value": "Shop.Example.com"}
NONE = {"subject_kind": None, "subject_value": "", "bound_tokens": False}


def made(room: Room, client_id: str = "shop", **members: Any) -> Any:
    return room.make("/clients", {"client_id": client_id, "name": client_id, **members})


def test_a_client_is_registered_with_the_one_subject_of_its_certificate(room: Room) -> None:
    row = made(room, authentication_method="tls_client_auth", certificate_subject=SUBJECT, bound_tokens=True)
    told = {"subject_kind": "san_dns", "subject_value": "shop.example.com", "bound_tokens": True}
    assert (row["authentication_method"], row["mutual_tls"]) == ("tls_client_auth", told)
    assert room.ask("GET", "/clients/shop").json()["mutual_tls"] == told


def test_a_client_is_registered_with_its_certificate(room: Room) -> None:
    method = "self_signed_tls_client_auth"
    made(room, authentication_method=method, keys=[{"certificate": OWN.pem.decode()}])
    (key,) = room.ask("GET", "/clients/shop/keys").json()
    assert (key["kid"], key["thumbprint"], key["state"]) == (OWN.thumbprint, OWN.thumbprint, "active")
    assert key["certificate"] == OWN.pem.decode()
    assert key["expires_at"] == int(NOW) + 86_401
    room.world.certificate = OWN.der
    assert room.world.post("/token", {"grant_type": "client_credentials", "client_id": "shop"}).status != 401


MISFITS: dict[str, tuple[dict[str, Any], str]] = {
    "no subject": ({"authentication_method": "tls_client_auth"}, "certificate_subject"),
    "a subject for a key": ({"certificate_subject": SUBJECT}, "certificate_subject"),
    "a wildcard": (
        {
            "authentication_method": "tls_client_auth",
            "certificate_subject": {"kind": "san_dns", "value": "*.a.example"},
        },
        "wildcard",
    ),
    "no name": (
        {"authentication_method": "tls_client_auth", "certificate_subject": {"kind": "subject_dn", "value": "shop"}},
        "RFC 4514",
    ),
    "a certificate for a key": ({"keys": [{"certificate": OWN.pem.decode()}]}, "self_signed_tls_client_auth"),
    "a key for a certificate": (
        {"authentication_method": "self_signed_tls_client_auth", "keys": [{"key": public(signing_key("x"))}]},
        "by its certificate",
    ),
}


@pytest.mark.parametrize("misfit", MISFITS)
def test_what_does_not_fit_together_is_refused_in_one_sentence(room: Room, misfit: str) -> None:
    members, sentence = MISFITS[misfit]
    answer = room.ask("POST", "/clients", {"client_id": "shop", "name": "shop", **members})
    assert answer.status_code == 400, answer.text
    assert sentence in answer.json()["error_description"]


def test_another_kind_of_subject_is_no_kind(room: Room) -> None:
    members = {"authentication_method": "tls_client_auth", "certificate_subject": {"kind": "cn", "value": "shop"}}
    assert room.ask("POST", "/clients", {"client_id": "shop", "name": "shop", **members}).status_code == 422


BAD: dict[str, Callable[[], str]] = {
    "no certificate": lambda: "no certificate",
    "a private key beside it": lambda: (OWN.pem + OWN.key_pem).decode(),
    "expired": lambda: self_signed(begins=-100, ends=-1).pem.decode(),
    "a weak RSA key": lambda: self_signed(key=rsa_key(1024)).pem.decode(),
    "a weak curve": lambda: self_signed(key=ec.generate_private_key(ec.SECP224R1())).pem.decode(),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_certificate_is_not_registered(room: Room, bad: str) -> None:
    made(room, authentication_method="self_signed_tls_client_auth")
    answer = room.ask("POST", "/clients/shop/keys", {"certificate": BAD[bad]()})
    assert answer.status_code == 400, answer.text
    assert "this certificate is refused" in answer.json()["error_description"]
    assert "PRIVATE" not in answer.text
    assert room.ask("GET", "/clients/shop/keys").json() == []


@pytest.mark.parametrize(
    "body", [{}, {"key": "x", "certificate": "y"}, {"certificate": OWN.pem.decode(), "alg": "ES256"}]
)
def test_a_key_is_given_or_a_certificate_and_not_both(room: Room, body: dict[str, str]) -> None:
    made(room)
    assert room.ask("POST", "/clients/shop/keys", body).status_code == 422


def test_the_same_certificate_is_refused_for_another_client(room: Room) -> None:
    for client_id in ("shop", "second"):
        made(room, client_id, authentication_method="self_signed_tls_client_auth")
    body = {"certificate": OWN.pem.decode()}
    assert room.ask("POST", "/clients/shop/keys", body).status_code == 201
    refused = room.ask("POST", "/clients/second/keys", body)
    assert "of client 'shop'" in refused.json()["error_description"]


def test_a_registered_certificate_ends_with_its_period_at_the_latest(room: Room) -> None:
    made(room, authentication_method="self_signed_tls_client_auth")
    body = {"certificate": OWN.pem.decode(), "expires_at": int(NOW) + 10 * 86_400}
    (row,) = room.ask("POST", "/clients/shop/keys", body).json()
    assert row["expires_at"] == int(NOW) + 86_401


def test_a_client_changes_from_its_key_to_its_certificate_and_back(room: Room) -> None:
    made(room, keys=[{"key": public(signing_key("x"))}])
    assert room.ask("PATCH", "/clients/shop", {"certificate_subject": SUBJECT}).status_code == 400
    over = {"authentication_method": "tls_client_auth", "certificate_subject": SUBJECT, "bound_tokens": True}
    row = room.ask("PATCH", "/clients/shop", over).json()
    assert row["mutual_tls"]["subject_value"] == "shop.example.com"
    back = room.ask("PATCH", "/clients/shop", {"authentication_method": "private_key_jwt"}).json()
    assert back["mutual_tls"] == NONE | {"bound_tokens": True}
    assert room.ask("PATCH", "/clients/shop", {"bound_tokens": False}).json()["mutual_tls"] == NONE
    changed = [
        json.loads(json.dumps(row.details))["changed"] for row in room.world.audit() if row.tag == "client:updated"
    ]
    assert changed == ["authentication_method mutual_tls", "authentication_method mutual_tls", "mutual_tls"]


def test_the_method_by_certificate_cannot_be_taken_up_without_a_subject(room: Room) -> None:
    made(room)
    answer = room.ask("PATCH", "/clients/shop", {"authentication_method": "tls_client_auth"})
    assert (answer.status_code, "certificate_subject" in answer.text) == (400, True)


@pytest.mark.parametrize("shown", [None, self_signed("other")])
def test_a_bound_token_opens_the_admin_api_with_its_certificate_alone(room: Room, shown: Made | None) -> None:
    """standards 79: our own API is an API like others."""
    chief = room.world.read(lambda work: work.clients.get("chief"))
    bound = replace(chief, mutual_tls=MutualTls(bound_tokens=True))
    room.world.write(lambda work: work.clients.replace(bound))
    room.world.certificate = OWN.der
    token = room.token()
    room.tls_certificate = None if shown is None else shown.der
    refused = room.ask("GET", "/clients", token=token)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
    record = room.world.read(lambda work: work.traces.get(refused.json()["trace"]))[0]
    assert record.checks[-1].name == "sender_constraint"
    room.tls_certificate = OWN.der
    assert room.ask("GET", "/clients", token=token).status_code == 200
