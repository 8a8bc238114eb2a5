"""An issuing CA that is revoked takes everything with it; a certificate takes its client along only when asked."""

from __future__ import annotations

import pytest
from cryptography import x509

from ostiary.audit import tags
from ostiary.certificate_authority import crl, founding
from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import algorithms
from ostiary.revocation import Ended, revoke_certificate
from tests.authorization_server.world import World
from tests.certificate_authority.authority import Ca


def end(ca: Ca, authority_id: str) -> None:
    ca.world.run(ca.life().revoke(ca.root, authority_id, ca.act()))
    ca.world.run(ca.authorities.refresh())


def test_the_roots_list_names_the_authority(ca: Ca, world: World) -> None:
    record = ca.authorities.issuing().record
    serial = x509.load_der_x509_certificate(record.certificate).serial_number
    end(ca, record.authority_id)
    made = world.read(lambda work: work.revocation_lists.get(record.parent))
    assert crl.entries_of(made) == [crl.Entry(serial, int(world.clock()), "cACompromise")]
    assert made.number > made.this_update
    # The next list of the root still names it.
    ca.add_issuing()
    assert [one.serial for one in crl.entries_of(world.read(lambda w: w.revocation_lists.get(record.parent)))] == [
        serial
    ]


def test_everything_that_it_issued_ends_and_so_do_the_tokens(ca: Ca, world: World) -> None:
    certificate, first = ca.issue(), ca.authorities.issuing().record.authority_id
    ca.add_issuing()
    other = ca.issue()
    end(ca, first)
    found = world.read(lambda work: work.certificates.get(certificate.serial))
    assert (found.state(world.clock()), found.reason) == ("revoked", "cACompromise")
    assert world.read(lambda work: work.certificates.get(other.serial)).revoked_at is None
    rows = world.read(lambda work: work.revocations.since(0))
    assert [(row.kind, row.value) for row in rows] == [("client_key", certificate.thumbprint)]
    assert tags.AUTHORITY_REVOKED in [row.tag for row in world.audit()]


def test_it_issues_no_more_even_what_was_signed_before(ca: Ca, world: World) -> None:
    prepared = ca.prepare()
    end(ca, prepared.record.authority_id)
    with pytest.raises(VerificationError, match="issues no more"):
        ca.record(prepared)
    with pytest.raises(ConfigurationError, match="ca rotate"):
        ca.authorities.issuing()


def test_it_leaves_the_bundle(ca: Ca) -> None:
    first = ca.authorities.issuing().record.authority_id
    end(ca, first)
    assert first not in [one.authority_id for one in ca.authorities.intermediates()]


def test_only_its_own_root_ends_it(ca: Ca, world: World) -> None:
    other = founding.new_root("Other", algorithms.generate("ES256"), "ES256", world.clock())
    with pytest.raises(ConfigurationError, match="not issued by this root"):
        world.run(ca.life().revoke(other, ca.authorities.issuing().record.authority_id, ca.act()))


def test_a_root_does_not_end_itself(ca: Ca, world: World) -> None:
    with pytest.raises(ConfigurationError, match="not issued by this root"):
        world.run(ca.life().revoke(ca.root, ca.authorities.issuing().record.parent, ca.act()))


def test_it_ends_once(ca: Ca) -> None:
    first = ca.authorities.issuing().record.authority_id
    end(ca, first)
    with pytest.raises(ConfigurationError, match="revoked already"):
        end(ca, first)


@pytest.mark.parametrize(("with_client", "state"), [(False, "active"), (True, "disabled")])
def test_a_certificate_takes_its_client_along_only_when_asked(
    ca: Ca, world: World, with_client: bool, state: str
) -> None:
    world.add_client("shop")
    certificate, other = ca.issue("client", client_id="shop"), ca.issue("client", client_id="shop")
    serial, act = certificate.serial, ca.act()
    [ended] = world.write(lambda work: revoke_certificate(work, serial, act, with_client=with_client))
    assert ended == (Ended(clients=1, certificates=2) if with_client else Ended(certificates=1))
    assert world.read(lambda work: work.clients.get("shop")).state == state
    assert (world.read(lambda work: work.certificates.get(other.serial)).revoked_at is not None) is with_client


def test_a_client_can_be_disabled_by_a_certificate_that_was_revoked_before(ca: Ca, world: World) -> None:
    world.add_client("shop")
    serial, act = ca.issue("client", client_id="shop").serial, ca.act()
    world.write(lambda work: revoke_certificate(work, serial, act))
    assert world.write(lambda work: revoke_certificate(work, serial, act, with_client=True)) == [Ended(clients=1)]
    assert world.read(lambda work: work.clients.get("shop")).state == "disabled"


def test_a_certificate_of_nobodys_client_takes_nobody_along(ca: Ca, world: World) -> None:
    world.add_client("shop")
    serial, act = ca.issue().serial, ca.act()
    assert world.write(lambda work: revoke_certificate(work, serial, act, with_client=True)) == [Ended(certificates=1)]
    assert world.read(lambda work: work.clients.get("shop")).state == "active"
