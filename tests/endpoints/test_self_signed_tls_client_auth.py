"""``self_signed_tls_client_auth``: the very certificate that is registered, each check alone (RFC 8705 section 2.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ostiary.authorization_server.certificate_keys import certificate_key
from ostiary.errors import ConfigurationError, VerificationError
from ostiary.model.client_key import ClientKey
from ostiary.protocol.certificate import key_thumbprint_of, read
from ostiary.revocation import Act, retire_client_key, revoke_client_key
from tests.authorization_server.certificates import Made, authority, leaf, rsa_key, self_signed
from tests.authorization_server.world import NOW, ORDERS, World, shop_world, signing_key
from tests.endpoints.test_client_authentication import refused_by
from tests.endpoints.test_tls_client_auth import ask, trust

OWN = self_signed()
ACT = Act("cli", NOW)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The usual world, with the client ``tls`` of one registered certificate."""
    with shop_world(tmp_path) as built:
        built.add_client("tls", key=None, authentication_method="self_signed_tls_client_auth")
        register(built, OWN)
        yield built


def register(world: World, made: Made, client_id: str = "tls", **changes: Any) -> ClientKey:
    """The certificate among the keys of its client."""
    client = world.read(lambda work: work.clients.get(client_id))
    record = replace(certificate_key(read(made.der), client, now=int(NOW), source="registered"), **changes)
    world.write(lambda work: work.client_keys.add(record))
    return record


def test_the_registered_certificate_proves_its_client(world: World) -> None:
    answer = ask(world, OWN)
    assert answer.status == 200, answer.body
    issued = [row for row in world.audit() if row.tag == "token:issued"]
    assert [(row.actor, row.key_thumbprint) for row in issued] == [("tls", OWN.thumbprint)]
    assert world.introspect(answer.json["access_token"]).json["client_id"] == "tls"


def test_its_last_use_is_remembered(world: World) -> None:
    ask(world, OWN)
    world.run(world.server.flush())
    assert world.read(lambda work: work.client_keys.by_thumbprint(OWN.thumbprint)).last_used_at == int(NOW)


def test_another_certificate_of_the_same_key_is_another_one(world: World) -> None:
    """attack 47: the thumbprint of the certificate counts, not its key, its subject or its issuer."""
    refused_by(world, ask(world, self_signed(key=OWN.key)), "certificate")


def test_a_certificate_of_a_trusted_authority_is_not_the_registered_one(world: World) -> None:
    """The chain is ignored, both ways."""
    root = authority()
    trust(world, root)
    refused_by(world, ask(world, leaf(root)), "certificate")
    issued = leaf(authority("Nobody knows it"))
    register(world, issued)
    assert ask(world, issued).status == 200


def test_what_the_registered_certificate_issued_is_not_the_registered_one(world: World) -> None:
    refused_by(world, ask(world, leaf(OWN)), "certificate")


@pytest.mark.parametrize("period", [(-100, -1), (1, 100)])
def test_a_certificate_outside_its_own_period_is_refused(world: World, period: tuple[int, int]) -> None:
    made = self_signed(begins=period[0], ends=period[1])
    register(world, made, not_before=int(NOW) - 1000, expires_at=None)
    refused_by(world, ask(world, made), "certificate")


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "retired"},
        {"state": "revoked"},
        {"not_before": int(NOW) + 60},
        {"expires_at": int(NOW) - 60},
        {"certificate": None},
        {"certificate": self_signed().der},
    ],
)
def test_the_registration_must_stand_and_be_in_time(world: World, changes: dict[str, Any]) -> None:
    made = self_signed()
    register(world, made, **changes)
    refused_by(world, ask(world, made), "certificate")


@pytest.mark.parametrize("key", [rsa_key(1024), ec.generate_private_key(ec.SECP224R1())])
def test_a_weak_key_cannot_be_registered(world: World, key: Any) -> None:
    with pytest.raises(VerificationError):
        register(world, self_signed(key=key))


def test_a_certificate_belongs_to_one_client(world: World) -> None:
    world.add_client("second", key=None, authentication_method="self_signed_tls_client_auth")
    with pytest.raises(ConfigurationError, match="of client 'tls'"):
        register(world, OWN, "second")
    refused_by(world, ask(world, OWN, "second"), "certificate")


def test_revoking_it_ends_its_tokens_and_retiring_it_does_not(world: World) -> None:
    made = self_signed()
    register(world, made)
    kept, ended = (ask(world, one).json["access_token"] for one in (OWN, made))
    world.write(lambda work: retire_client_key(work, OWN.thumbprint, ACT))
    world.write(lambda work: revoke_client_key(work, made.thumbprint, ACT))
    assert [world.introspect(one).json["active"] for one in (kept, ended)] == [True, False]
    refused_by(world, ask(world, OWN), "certificate")
    refused_by(world, ask(world, made), "certificate")


def test_a_certificate_of_a_key_that_was_revoked_elsewhere_proves_nobody(world: World) -> None:
    """A stranger holds that key, in whichever document it stands."""
    made = self_signed()
    register(world, made)
    client = world.read(lambda work: work.clients.get("shop"))
    certificate = read(made.der)
    bare = replace(
        certificate_key(certificate, client, now=int(NOW), source="registered"),
        thumbprint=key_thumbprint_of(certificate),
        kid="bare",
        certificate=None,
    )
    assert ask(world, made).status == 200
    world.write(lambda work: work.client_keys.add(bare))
    world.write(lambda work: revoke_client_key(work, bare.thumbprint, ACT))
    refused_by(world, ask(world, made), "certificate")


def test_the_key_of_a_certificate_signs_no_assertion(world: World) -> None:
    """It is registered for TLS, and neither the server nor an API takes it for a key of JWTs."""
    key = signing_key("both")
    made = self_signed(key=key._private)
    record = register(world, made, "shop")
    refused_by(world, world.token(assertion=world.assertion("shop", key=replace(key, kid=record.kid))), "key")
    told = world.post("/client-keys", world.form("api_orders", client="shop", resource=ORDERS)).json
    assert record.kid not in [one["kid"] for one in told["keys"]]


def test_the_tls_door_is_told_of_those_that_are_registered_now(world: World) -> None:
    made = self_signed()
    register(world, made)
    world.run(world.server.registry.current())
    assert set(world.run(world.server.registry.registered_certificates())) == {OWN.der, made.der}
    world.write(lambda work: retire_client_key(work, OWN.thumbprint, ACT))
    world.run(world.server.registry.current())
    assert list(world.run(world.server.registry.registered_certificates())) == [made.der]


def test_a_certificate_does_not_register_the_next_key(world: World) -> None:
    client = world.read(lambda work: work.clients.get("tls"))
    world.write(lambda work: work.clients.replace(replace(client, may_register_keys=True)))
    world.certificate = OWN.der
    answer = world.post("/client-keys/next", {"client_id": "tls", "next_key": "x"})
    assert (answer.status, answer.json["error"]) == (400, "invalid_request"), answer.body
    assert world.trace(answer).checks[-1].name == "key"
