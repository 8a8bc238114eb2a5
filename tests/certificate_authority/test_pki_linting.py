"""pkilint finds nothing at warning or above in anything that the CA signs, by every algorithm."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ostiary.certificate_authority.name_constraints import NameConstraints
from ostiary.certificate_authority.profiles import PROFILES
from ostiary.certificate_authority.revocation_lists import RevocationLists
from ostiary.revocation import revoke_certificate
from tests.authorization_server.world import World
from tests.certificate_authority.asking import post, request
from tests.certificate_authority.authority import CONSTRAINTS, Ca, certificate_authority, new_key
from tests.certificate_authority.pki_linting import PkiLinting

ALGORITHMS = ["ES256", "ES384", "EdDSA", "RS256"]


@pytest.fixture
def linting(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> PkiLinting:
    return PkiLinting(tmp_path, capsys, monkeypatch)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_nothing_is_found_in_the_authorities_and_in_every_profile(world: World, linting: PkiLinting, alg: str) -> None:
    ca = certificate_authority(world, alg)
    documents = {"root": ca.root.certificate.public_bytes(Encoding.DER)}
    documents["issuing"] = ca.authorities.issuing().record.certificate
    key = new_key(alg)
    for profile in PROFILES:
        for common_name in ("", "for people"):
            documents[f"{profile} {common_name}"] = ca.issue(profile, key=key, common_name=common_name).certificate
    assert {name: linting.certificate(der) for name, der in documents.items()} == dict.fromkeys(documents, "")


@pytest.mark.parametrize(
    "constraints",
    [CONSTRAINTS, NameConstraints(), NameConstraints(dns=("example.com",), networks=("10.0.0.0/8", "fd00::/8"))],
)
def test_nothing_is_found_in_an_authority_with_or_without_constraints(
    world: World, linting: PkiLinting, constraints: NameConstraints
) -> None:
    ca = certificate_authority(world, constraints=constraints)
    assert linting.certificate(ca.authorities.issuing().record.certificate) == ""


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_nothing_is_found_in_the_lists_and_the_answers(world: World, linting: PkiLinting, alg: str) -> None:
    ca = certificate_authority(world, alg)
    good, revoked, other = ca.issue(), ca.issue(), ca.issue()
    lists = RevocationLists(ca.authorities)
    world.run(lists.renew())
    name, root = ca.authorities.issuing().record.authority_id, ca.authorities.issuing().record.parent
    assert linting.revocation_list(_list(world, name)) == ""
    for one, reason in ((revoked, "keyCompromise"), (other, "unspecified")):
        act = ca.act()
        world.write(lambda work, one=one, act=act, reason=reason: revoke_certificate(work, one.serial, act, reason))
    world.run(lists.renew())
    assert linting.revocation_list(_list(world, name)) == ""
    for one in (good, revoked, other, ca.prepare().record):
        for extension in (None, x509.OCSPNonce(b"n" * 32)):
            answer = post(ca, request(ca, one, extension=extension)).body
            assert linting.ocsp_response(answer) == ""
    world.run(ca.life().revoke(ca.root, name, ca.act()))
    assert linting.revocation_list(_list(world, root), "ARL") == ""


def test_a_fault_would_be_found(ca: Ca, linting: PkiLinting) -> None:
    der = ca.issue().certificate
    key_usage = bytes.fromhex("0603551d0f0101ff")
    assert key_usage in der
    # Key usage that is not critical, encoded as DER must not.
    assert "der" in linting.certificate(der.replace(key_usage, bytes.fromhex("0603551d0f010100"))).lower()


def _list(world: World, authority_id: str) -> bytes:
    return bytes(world.read(lambda work: work.revocation_lists.get(authority_id)).crl)
