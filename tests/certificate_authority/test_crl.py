"""Revocation lists: what they name, when they are renewed, that their numbers rise for good."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from sqlalchemy import delete

from ostiary.certificate_authority import crl, issuing
from ostiary.certificate_authority.ca_key import CaPrivateKey
from ostiary.certificate_authority.crl import Entry
from ostiary.certificate_authority.revocation_lists import RevocationLists
from ostiary.errors import Unavailable
from ostiary.model.certificate import Certificate
from ostiary.model.certificate_authority import RevocationList
from ostiary.protocol import algorithms
from ostiary.revocation import Act, revoke_certificate
from ostiary.storage.certificate_schema import REVOCATION_LISTS
from ostiary.storage.statements import Statement
from tests.authorization_server.world import World
from tests.certificate_authority.authority import Ca, certificate_authority, loaded

DAY = 86_400
_NO_LISTS = Statement(delete(REVOCATION_LISTS))


@pytest.fixture
def lists(ca: Ca) -> RevocationLists:
    return RevocationLists(ca.authorities)


def kept(world: World, authority_id: str) -> RevocationList:
    found: RevocationList | None = world.read(lambda work: work.revocation_lists.get(authority_id))
    assert found is not None
    return found


def issuing_id(ca: Ca) -> str:
    return str(ca.authorities.issuing().record.authority_id)


def revoke(world: World, certificate: Certificate, reason: str = "unspecified") -> None:
    act = Act("cli", world.clock())
    world.write(lambda work: revoke_certificate(work, certificate.serial, act, reason))  # type: ignore[arg-type]


def serials(made: RevocationList) -> set[str]:
    return {f"{entry.serial:x}" for entry in crl.entries_of(made)}


def test_a_list_says_who_when_and_why(ca: Ca, world: World, lists: RevocationLists) -> None:
    """RFC 5280 5.1 and 5.2"""
    stolen, ended, good = ca.issue(), ca.issue(), ca.issue()
    revoke(world, stolen, "keyCompromise")
    revoke(world, ended)
    world.run(lists.renew())
    made = x509.load_der_x509_crl(kept(world, issuing_id(ca)).crl)
    now = int(world.clock())
    issuer = ca.authorities.issuing().certificate
    assert made.issuer == issuer.subject
    assert made.is_signature_valid(issuer.public_key())
    assert int(made.last_update_utc.timestamp()) == now
    assert made.next_update_utc is not None
    assert int(made.next_update_utc.timestamp()) == now + DAY
    key = made.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert key.key_identifier is not None
    assert key.key_identifier.hex() == issuing_id(ca)
    assert made.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == now
    assert not [extension for extension in made.extensions if extension.critical]
    assert set(crl.entries_of(kept(world, issuing_id(ca)))) == {
        Entry(int(stolen.serial, 16), now, "keyCompromise"),
        Entry(int(ended.serial, 16), now, "unspecified"),
    }
    # "SHOULD be absent instead of using the unspecified (0) reasonCode value" 5.3.1
    unspecified = made.get_revoked_certificate_by_serial_number(int(ended.serial, 16))
    assert unspecified is not None
    assert not list(unspecified.extensions)
    assert made.get_revoked_certificate_by_serial_number(int(good.serial, 16)) is None


@pytest.mark.parametrize("alg", ["ES256", "ES384", "EdDSA", "RS256"])
def test_openssl_accepts_the_lists_of_every_algorithm_and_refuses_what_they_name(
    world: World, openssl: str, tmp_path: Path, alg: str
) -> None:
    ca = certificate_authority(world, alg)
    good, bad = ca.issue(), ca.issue()
    revoke(world, bad, "superseded")
    world.run(RevocationLists(ca.authorities).renew())
    authority = ca.authorities.issuing().record
    (tmp_path / "root.pem").write_bytes(ca.root_pem())
    (tmp_path / "issuing.pem").write_bytes(issuing.pem(authority.certificate))
    for name, made in (("issuing", kept(world, authority.authority_id)), ("root", kept(world, authority.parent))):
        (tmp_path / f"{name}.crl").write_bytes(made.crl)
        command = [openssl, "crl", "-inform", "DER", "-in", f"{name}.crl", "-CAfile", f"{name}.pem", "-out"]
        checked = subprocess.run(
            [*command, f"{name}-crl.pem"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert "verify OK" in checked.stderr
    verify = [openssl, "verify", "-x509_strict", "-attime", str(int(world.clock())), "-crl_check_all"]
    verify += ["-CAfile", "root.pem", "-untrusted", "issuing.pem", "-CRLfile", "issuing-crl.pem"]
    verify += ["-CRLfile", "root-crl.pem"]
    for name, certificate in (("good", good), ("bad", bad)):
        (tmp_path / f"{name}.pem").write_bytes(issuing.pem(certificate.certificate))
    accepted = subprocess.run([*verify, "good.pem"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert accepted.stdout == "good.pem: OK\n", accepted.stderr
    refused = subprocess.run([*verify, "bad.pem"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "certificate revoked" in refused.stderr


def test_a_list_is_renewed_when_half_of_its_life_is_over_and_not_before(
    ca: Ca, world: World, lists: RevocationLists
) -> None:
    assert world.run(lists.renew()) == 1
    first = kept(world, issuing_id(ca))
    world.clock.now += DAY / 2 - 2
    assert world.run(lists.renew()) == 0
    world.clock.now += 2
    assert world.run(lists.renew()) == 1
    numbers = [made.number for made in (first, kept(world, issuing_id(ca)))]
    assert numbers[0] < numbers[1]


def test_a_revocation_makes_a_new_list_at_once(ca: Ca, world: World, lists: RevocationLists) -> None:
    certificate = ca.issue()
    world.run(lists.renew())
    revoke(world, certificate)
    assert world.run(lists.renew()) == 1
    assert serials(kept(world, issuing_id(ca))) == {certificate.serial}


def test_numbers_rise_past_those_that_a_restored_backup_knows_nothing_of(
    ca: Ca, world: World, lists: RevocationLists
) -> None:
    """RFC 5280 5.2.3: "monotonically increasing"; who has seen a higher one may take the list for an old one."""
    world.run(lists.renew())
    backup = kept(world, issuing_id(ca))
    for _ in range(3):
        world.clock.now += DAY / 2
        world.run(lists.renew())
    lost = kept(world, issuing_id(ca))
    world.run(restore(world, backup))
    world.clock.now += DAY / 2
    world.run(RevocationLists(ca.authorities).renew())
    assert kept(world, issuing_id(ca)).number > lost.number


async def restore(world: World, backup: RevocationList) -> None:
    """The database as it stood when ``backup`` was the last list."""
    async with world.storage.write() as work:
        await work.connection.run(_NO_LISTS, {})  # type: ignore[attr-defined]
        await work.revocation_lists.put(backup)


def test_another_change_of_the_registry_makes_no_new_list(ca: Ca, world: World, lists: RevocationLists) -> None:
    revoke(world, ca.issue())
    world.run(lists.renew())
    world.add_client("someone")
    assert world.run(lists.renew()) == 0


def test_an_entry_goes_only_after_a_list_from_beyond_the_certificates_life(
    ca: Ca, world: World, lists: RevocationLists
) -> None:
    """RFC 5280 3.3"""
    certificate = ca.issue("client", life=DAY)
    revoke(world, certificate)
    named = []
    for _ in range(4):
        world.run(lists.renew())
        named.append(certificate.serial in serials(kept(world, issuing_id(ca))))
        world.clock.now += DAY - 1
    # Signed at 0, just before its end, after its end for the first time, and after that.
    assert named == [True, True, True, False]


def test_a_retired_authority_still_says_what_it_revoked(ca: Ca, world: World, lists: RevocationLists) -> None:
    first, certificate = issuing_id(ca), ca.issue()
    ca.add_issuing()
    revoke(world, certificate)
    assert world.run(lists.renew()) == 2
    assert serials(kept(world, first)) == {certificate.serial}
    assert serials(kept(world, issuing_id(ca))) == set()


def test_an_authority_that_has_expired_signs_no_more(ca: Ca, world: World, lists: RevocationLists) -> None:
    world.clock.now = float(ca.authorities.issuing().record.not_after)
    assert world.run(lists.renew()) == 0


def test_a_clock_that_goes_back_makes_no_list_older_than_the_last(ca: Ca, world: World, lists: RevocationLists) -> None:
    certificate = ca.issue()
    world.clock.now += 1000
    world.run(lists.renew())
    before = kept(world, issuing_id(ca))
    world.clock.now -= 100
    revoke(world, certificate)
    world.run(lists.renew())
    after = kept(world, issuing_id(ca))
    assert (after.number, after.this_update) == (before.number + 1, before.this_update)


def test_a_list_whose_signature_is_broken_does_not_leave(ca: Ca, world: World) -> None:
    root, other = ca.root, algorithms.generate("ES256")
    with pytest.raises(Unavailable, match="signature"):
        crl.signed(root.certificate, other, "ES256", [], 1, int(world.clock()), DAY)


def test_of_two_processes_that_sign_at_the_same_time_one_wins_and_nothing_is_lost(ca: Ca, world: World) -> None:
    one, other = RevocationLists(ca.authorities), RevocationLists(ca.authorities)
    world.run(one.renew())
    first, second = ca.issue(), ca.issue()
    revoke(world, first)
    last = kept(world, issuing_id(ca))
    world.run(one.renew())
    revoke(world, second)
    # What the slower one signed meanwhile, over what it had read before.
    late = crl.signed(*_by(ca), [Entry(int(first.serial, 16), 1)], last.number + 1, int(world.clock()), DAY)
    assert world.write(lambda work: work.revocation_lists.put(late)) == [False]
    world.run(other.renew())
    assert serials(kept(world, issuing_id(ca))) == {first.serial, second.serial}
    assert kept(world, issuing_id(ca)).number == last.number + 2


def test_whoever_lost_looks_again_at_once(ca: Ca, world: World, lists: RevocationLists) -> None:
    certificate = ca.issue()
    world.run(lists.renew())
    revoke(world, certificate)
    # Another process takes the number between this one's reading and its writing, with a list that names nobody.
    sign = lists._sign

    def slow(authority: object, entries: list[Entry], last: RevocationList | None, now: int) -> RevocationList:
        made = sign(authority, entries, last, now)  # type: ignore[arg-type]
        taken.append(crl.signed(*_by(ca), [], made.number, now, DAY))
        return made

    taken: list[RevocationList] = []
    put = type(world.read(_lists)).put

    async def after_the_other(self: object, made: RevocationList) -> bool:
        if taken:
            await put(self, taken.pop())
        return bool(await put(self, made))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists, "_sign", slow)
        patch.setattr(type(world.read(_lists)), "put", after_the_other)
        assert world.run(lists.renew()) == 0
    assert serials(kept(world, issuing_id(ca))) == set()
    assert world.run(lists.renew()) == 1
    assert serials(kept(world, issuing_id(ca))) == {certificate.serial}


async def _lists(work: object) -> object:
    return work.revocation_lists  # type: ignore[attr-defined]


def _by(ca: Ca) -> tuple[x509.Certificate, CaPrivateKey, str]:
    authority = ca.authorities.issuing()
    return authority.certificate, authority.key, authority.record.alg


def test_the_roots_list_is_there_from_the_first_day(ca: Ca, world: World) -> None:
    root_id = ca.authorities.issuing().record.parent
    made = kept(world, root_id)
    assert made.number == made.this_update
    assert made.next_update >= loaded_end(ca)
    assert x509.load_der_x509_crl(made.crl).is_signature_valid(ca.root.key.public_key())
    ca.add_issuing()
    assert kept(world, root_id).number > made.number


def loaded_end(ca: Ca) -> int:
    return int(ca.authorities.issuing().record.not_after)


def test_the_serial_numbers_in_a_list_are_those_of_the_certificates(
    ca: Ca, world: World, lists: RevocationLists
) -> None:
    certificate = ca.issue()
    revoke(world, certificate)
    world.run(lists.renew())
    made = x509.load_der_x509_crl(kept(world, issuing_id(ca)).crl)
    assert made.get_revoked_certificate_by_serial_number(loaded(certificate).serial_number) is not None
