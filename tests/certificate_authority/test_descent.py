"""Whoever stole a certificate or a key may have got the next certificate by it: what descends from it falls with it."""

from __future__ import annotations

from typing import Any

import pytest

from ostiary.audit import tags
from ostiary.model.certificate import Certificate
from ostiary.revocation import retire_client_key, revoke_certificate, revoke_client_key
from tests.authorization_server.world import World, client_key
from tests.certificate_authority.authority import Ca, new_key
from tests.certificate_authority.test_enrolment import CLIENT, RENEW, csr, leaf, proof, refused_by


def kept(world: World, serial: str) -> Certificate:
    found: Certificate = world.read(lambda work: work.certificates.get(serial))
    return found


def renewed(ca: Ca, present: Certificate, key: Any, next_key: Any, jti: str) -> Certificate:
    request = csr(next_key)
    made = leaf(ca.world.post(RENEW, {"csr": request, "proof": proof(ca, present, key, request, jti=jti)}))
    return kept(ca.world, f"{made.serial_number:x}")


def chain(ca: Ca) -> list[Certificate]:
    keys = [new_key() for _ in range(3)]
    first = ca.issue(key=keys[0])
    second = renewed(ca, first, keys[0], keys[1], "j-1")
    return [first, second, renewed(ca, second, keys[1], keys[2], "j-2")]


def revoke(ca: Ca, one: Certificate, reason: Any) -> None:
    ca.world.write(lambda work: revoke_certificate(work, one.serial, ca.act(), reason))


def states(ca: Ca, certificates: list[Certificate]) -> list[str]:
    return [kept(ca.world, one.serial).state(ca.world.clock()) for one in certificates]


@pytest.mark.parametrize("reason", ["unspecified", "keyCompromise", "affiliationChanged", "cessationOfOperation"])
def test_what_a_certificate_obtained_falls_with_it(ca: Ca, world: World, reason: str) -> None:
    family, sibling = chain(ca), ca.issue()
    revoke(ca, family[0], reason)
    assert states(ca, [*family, sibling]) == ["revoked"] * 3 + ["valid"]
    events = [row for row in world.audit() if row.tag == tags.CERTIFICATE_REVOKED]
    assert [row.details.get("fell_with") for row in events] == [
        None,
        f"certificate:{family[0].serial}",
        f"certificate:{family[1].serial}",
    ]


def test_it_falls_also_below_one_that_was_revoked_before(ca: Ca) -> None:
    family = chain(ca)
    revoke(ca, family[1], "superseded")
    revoke(ca, family[0], "keyCompromise")
    assert states(ca, family) == ["revoked"] * 3


@pytest.mark.parametrize("reason", ["superseded", "cACompromise"])
def test_a_reason_that_tells_of_no_thief_leaves_the_successor(ca: Ca, reason: str) -> None:
    family = chain(ca)
    revoke(ca, family[0], reason)
    assert states(ca, family) == ["revoked", "valid", "valid"]


@pytest.mark.parametrize(("end", "state"), [(revoke_client_key, "revoked"), (retire_client_key, "valid")])
def test_what_a_clients_key_obtained_falls_with_it_when_it_is_revoked(
    ca: Ca, world: World, end: Any, state: str
) -> None:
    world.add_client("shop")
    key = new_key()
    made = leaf(world.post(CLIENT, world.form("shop", csr=csr(key))))
    first = kept(world, f"{made.serial_number:x}")
    second = renewed(ca, first, key, new_key(), "j-1")
    world.add_key("shop", "shop-2")
    other = leaf(world.post(CLIENT, world.form("shop", csr=csr(), assertion=world.assertion("shop", "shop-2"))))
    world.write(lambda work: end(work, client_key("shop", "shop-1").thumbprint, ca.act()))
    family = [first, second, kept(world, f"{other.serial_number:x}")]
    assert states(ca, family) == [state, state, "valid"]


def test_a_certificate_got_by_acme_is_renewed_by_acme_alone(ca: Ca, world: World) -> None:
    """Its names would never be proved again."""
    key = new_key()
    present, request = ca.issue(key=key, proof="acme:a-1"), csr()
    answer = world.post(RENEW, {"csr": request, "proof": proof(ca, present, key, request)})
    assert refused_by(world, answer) == "certificate"
    assert b"ACME" in answer.body
