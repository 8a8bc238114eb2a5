"""A certificate of our own CA proves its client until it, or its authority, is revoked: then nobody, at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ostiary.authorization_server.client_trust import Authorities, ConfiguredTrust
from ostiary.authorization_server.own_authorities import WithOwnAuthorities
from ostiary.certificate_authority import form, identities, issuing
from ostiary.certificate_authority.issuing import Wanted
from ostiary.certificate_authority.name_constraints import NameConstraints
from ostiary.certificate_authority.profiles import PROFILES
from ostiary.model.certificate import Certificate
from ostiary.model.mutual_tls import MutualTls
from ostiary.protocol.certificate import read
from ostiary.revocation import revoke_certificate, revoke_client
from ostiary.storage.base import UnitOfWork
from tests.authorization_server.certificates import authority, leaf
from tests.authorization_server.world import ISSUER, NOW, ORDERS, Answer, World, shop_world
from tests.certificate_authority.authority import Ca, certificate_authority, new_key
from tests.endpoints.test_client_authentication import refused_by

NAME = identities.of_client(ISSUER, "tls")
OTHER_CA = authority("Another CA")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The usual world, and the client ``tls``, which is known by the name that our CA gives it."""
    with shop_world(tmp_path) as built:
        configured = ConfiguredTrust(Authorities((OTHER_CA.certificate,)))
        built.server.client_trust = WithOwnAuthorities(configured, built.server.authorities)
        registered = MutualTls("san_uri", identities.value(NAME))
        built.add_client("tls", key=None, authentication_method="tls_client_auth", mutual_tls=registered)
        yield built


@pytest.fixture
def ca(world: World) -> Ca:
    return certificate_authority(world)


def ask(world: World, der: bytes) -> Answer:
    world.certificate = der
    return world.post("/token", {"grant_type": "client_credentials", "resource": ORDERS, "client_id": "tls"})


def issue(ca: Ca) -> Certificate:
    return ca.issue("client", NAME, client_id="tls", owner="team")


@pytest.mark.parametrize("alg", ["ES256", "ES384", "EdDSA", "RS256"])
def test_a_certificate_of_our_own_ca_proves_its_client(world: World, alg: str) -> None:
    certificate = issue(certificate_authority(world, alg))
    answer = ask(world, certificate.certificate)
    assert answer.status == 200, answer.body


def test_the_configured_authorities_stay_trusted(ca: Ca, world: World) -> None:
    made = leaf(OTHER_CA, x509.UniformResourceIdentifier(identities.value(NAME)))
    assert ask(world, made.der).status == 200


def test_one_of_a_retired_authority_still_proves_its_client(ca: Ca, world: World) -> None:
    certificate = issue(ca)
    ca.add_issuing()
    assert ask(world, certificate.certificate).status == 200


def test_a_revoked_one_proves_nobody_at_once(ca: Ca, world: World) -> None:
    certificate = issue(ca)
    assert ask(world, certificate.certificate).status == 200
    act = ca.act()
    world.write(lambda work: revoke_certificate(work, certificate.serial, act))
    refused_by(world, ask(world, certificate.certificate), "certificate")


def test_another_one_of_the_client_still_does(ca: Ca, world: World) -> None:
    certificate, other, act = issue(ca), issue(ca), ca.act()
    world.write(lambda work: revoke_certificate(work, certificate.serial, act))
    assert ask(world, other.certificate).status == 200


def test_one_of_a_revoked_authority_proves_nobody_at_once(ca: Ca, world: World) -> None:
    certificate, first = issue(ca), ca.authorities.issuing().record.authority_id
    ca.add_issuing()
    assert ask(world, certificate.certificate).status == 200
    world.run(ca.life().revoke(ca.root, first, ca.act()))
    refused_by(world, ask(world, certificate.certificate), "certificate")


def seen(world: World, answer: Answer) -> str:
    """What the check of the certificate saw."""
    return world.trace(answer).checks[-1].seen


def _wanted(ca: Ca) -> Wanted:
    return ca.wanted("client", NAME, client_id="tls", owner="team")


def trusts(world: World, certificate: Certificate) -> bool:
    return not world.run(world.server.client_trust.revoked(read(certificate.certificate)))


def test_the_state_of_the_authority_alone_is_enough(ca: Ca, world: World) -> None:
    """The row of a certificate that was issued in the moment of the revocation says nothing."""
    certificate, record = issue(ca), ca.authorities.issuing().record
    assert trusts(world, certificate)
    world.write(lambda work: work.authorities.replace(replace(record, state="revoked")))
    assert not trusts(world, certificate)


def test_what_bears_our_name_and_was_never_given_out_proves_nobody(ca: Ca, world: World) -> None:
    prepared = ca.prepare("client", NAME, client_id="tls", owner="team")
    refused_by(world, ask(world, prepared.record.certificate), "certificate")
    ca.record(prepared)
    assert ask(world, prepared.record.certificate).status == 200


def test_a_certificate_for_servers_proves_no_client(ca: Ca, world: World) -> None:
    wanted = replace(PROFILES["client"], usages=PROFILES["server"].usages)
    prepared = world.run(issuing.prepare(ca.authorities, replace(_wanted(ca), profile=wanted), world.clock()))
    ca.record(prepared)
    assert "1.3.6.1.5.5.7.3.1" in seen(world, ask(world, prepared.record.certificate))


def test_a_certificate_that_has_expired_proves_nobody(ca: Ca, world: World) -> None:
    certificate = issue(ca)
    world.clock.now = certificate.not_after + 1.0
    refused_by(world, ask(world, certificate.certificate), "certificate")


def test_another_name_proves_no_client(ca: Ca, world: World) -> None:
    other = ca.issue("client", identities.of_client(ISSUER, "other"), client_id="tls", owner="team")
    refused_by(world, ask(world, other.certificate), "certificate")


def test_a_signature_by_another_key_is_not_ours(ca: Ca, world: World) -> None:
    """The authority has the same name and another key, so that only the signature tells."""
    certificate, record, key = issue(ca), ca.authorities.issuing().record, new_key()
    subject = x509.load_der_x509_certificate(record.certificate).subject
    period = (record.not_before, record.not_after)
    unsigned = form.builder(subject, ca.root.certificate.subject, key.public_key(), form.new_serial(), *period, ())
    der = unsigned.sign(ca.root.key, hashes.SHA256()).public_bytes(Encoding.DER)
    world.write(lambda work: work.authorities.replace(replace(record, certificate=der)))
    assert not world.run(world.server.client_trust.issued_here(read(certificate.certificate), world.clock()))


@pytest.mark.parametrize("kind", ["root", "issuing"])
def test_an_authority_outside_its_period_names_nobody(ca: Ca, world: World, kind: str) -> None:
    certificate = issue(ca)
    [record] = [one for one in ca.authorities.records() if one.kind == kind]
    assert world.run(world.server.client_trust.issued_here(read(certificate.certificate), world.clock()))
    world.write(lambda work: work.authorities.replace(replace(record, not_after=int(NOW))))
    assert not world.run(world.server.client_trust.issued_here(read(certificate.certificate), world.clock()))


def test_a_name_outside_the_constraints_that_was_signed_all_the_same_proves_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = certificate_authority(world, constraints=NameConstraints(hosts=("elsewhere.example.com",)))
    with monkeypatch.context() as patch:
        patch.setattr(NameConstraints, "check", lambda *_: None)
        certificate = issue(ca)
    assert not world.run(world.server.client_trust.issued_here(read(certificate.certificate), world.clock()))
    refused_by(world, ask(world, certificate.certificate), "certificate")


def test_those_of_a_disabled_client_prove_nobody(ca: Ca, world: World) -> None:
    certificate, act = issue(ca), ca.act()
    world.write(lambda work: revoke_client(work, "tls", act))
    assert not trusts(world, certificate)


def test_what_is_known_to_be_good_is_not_looked_up_again(ca: Ca, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = issue(ca)
    assert trusts(world, certificate)
    monkeypatch.setattr(world.server.storage, "read", None)
    assert trusts(world, certificate)


def test_what_was_read_before_a_revocation_is_not_taken_for_good_after_it(ca: Ca, world: World) -> None:
    """One look is overtaken by a revocation and by another look, which knows of it: its answer is of before."""
    certificate, other, act = issue(ca), issue(ca), ca.act()
    storage, trust = world.server.storage, world.server.client_trust

    @asynccontextmanager
    async def slow_read() -> AsyncIterator[UnitOfWork]:
        patch.undo()
        async with storage.read() as work:
            yield work
        async with storage.write() as work:
            await revoke_certificate(work, certificate.serial, act)
        assert not await trust.revoked(read(other.certificate))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.server.authorities.storage, "read", slow_read)
        assert not world.run(trust.revoked(read(certificate.certificate)))
    assert not trusts(world, certificate)


def test_the_last_use_of_a_certificate_is_written_by_the_flush(ca: Ca, world: World) -> None:
    certificate = issue(ca)
    ask(world, certificate.certificate)
    assert world.read(lambda work: work.certificates.get(certificate.serial)).last_seen_at is None
    world.run(world.server.flush())
    assert world.read(lambda work: work.certificates.get(certificate.serial)).last_seen_at == int(NOW)
