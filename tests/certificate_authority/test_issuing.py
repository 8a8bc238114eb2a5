"""The profile decides every field; what was signed is checked again; a key belongs to one holder."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from ostiary.audit import tags
from ostiary.certificate_authority import issuing
from ostiary.certificate_authority.issuing import Prepared
from ostiary.certificate_authority.name_constraints import NameConstraints
from ostiary.certificate_authority.recheck import recheck
from ostiary.errors import Unavailable, VerificationError
from ostiary.revocation import revoke_certificate, revoke_client
from tests.authorization_server.world import World
from tests.certificate_authority.authority import Ca, certificate_authority, loaded, new_key, weak_keys

DAY = 86_400


@pytest.mark.parametrize("alg", ["ES256", "ES384", "EdDSA", "RS256"])
@pytest.mark.parametrize("profile", ["server", "client", "workload"])
def test_openssl_accepts_the_chain_of_every_profile_and_algorithm(
    world: World, openssl: str, tmp_path: Path, alg: str, profile: str
) -> None:
    ca = certificate_authority(world, alg)
    prepared = ca.prepare(profile, key=new_key(alg))
    (tmp_path / "root.pem").write_bytes(ca.root_pem())
    (tmp_path / "issuing.pem").write_bytes(issuing.pem(prepared.issuer))
    (tmp_path / "leaf.pem").write_bytes(issuing.pem(prepared.record.certificate))
    purpose = {"server": "sslserver", "client": "sslclient", "workload": "sslserver"}[profile]
    command = [openssl, "verify", "-x509_strict", "-purpose", purpose, "-attime", str(int(world.clock()))]
    command += ["-CAfile", "root.pem", "-untrusted", "issuing.pem", "leaf.pem"]
    verified = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert verified.stdout == "leaf.pem: OK\n", verified.stderr


def test_openssl_refuses_a_name_outside_the_constraints_that_was_signed_all_the_same(
    ca: Ca, openssl: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NameConstraints, "check", lambda *_: None)
    verified = verify(openssl, tmp_path, ca, ca.prepare("server", "api.example.org"))
    assert "permitted subtree violation" in verified.stderr


def verify(openssl: str, folder: Path, ca: Ca, prepared: Prepared) -> subprocess.CompletedProcess[str]:
    (folder / "root.pem").write_bytes(ca.root_pem())
    (folder / "chain.pem").write_bytes(prepared.chain_pem())
    command = [openssl, "verify", "-attime", str(int(ca.world.clock()))]
    command += ["-CAfile", "root.pem", "-untrusted", "chain.pem", "chain.pem"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


DOMAINS_ALONE = NameConstraints(dns=("example.com",))


def test_a_ca_for_domains_alone_certifies_no_address(world: World) -> None:
    ca = certificate_authority(world, constraints=DOMAINS_ALONE)
    ca.issue("server", "api.example.com")
    with pytest.raises(VerificationError) as refused:
        ca.issue("server", "10.0.0.1")
    assert refused.value.check == "name_constraints"


@pytest.mark.parametrize("address", ["10.0.0.1", "2001:db8::1"])
def test_openssl_refuses_an_address_that_a_ca_for_domains_signed_all_the_same(
    world: World, openssl: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    ca = certificate_authority(world, constraints=DOMAINS_ALONE)
    monkeypatch.setattr(NameConstraints, "check", lambda *_: None)
    for name, said in (("api.example.com", "chain.pem: OK"), (address, "excluded subtree violation")):
        verified = verify(openssl, tmp_path, ca, ca.prepare("server", name))
        assert said in verified.stdout + verified.stderr


@pytest.mark.parametrize(
    ("profile", "usages", "life"),
    [
        ("server", [ExtendedKeyUsageOID.SERVER_AUTH], 7 * DAY),
        ("client", [ExtendedKeyUsageOID.CLIENT_AUTH], DAY),
        ("workload", [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH], DAY),
    ],
)
def test_a_profile_decides_usage_and_life(ca: Ca, world: World, profile: str, usages: list[Any], life: int) -> None:
    made = loaded(ca.issue(profile))
    assert list(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == usages
    assert made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert int(made.not_valid_after_utc.timestamp()) == int(world.clock()) + life


def test_a_certificate_is_in_the_inventory_and_in_the_audit_log(ca: Ca, world: World) -> None:
    made = ca.issue("client", client_id="shop", common_name="shop")
    kept = world.read(lambda work: work.certificates.get(made.serial))
    assert kept == made
    assert kept.state(world.clock()) == "valid"
    assert (kept.identities, kept.client_id) == (("uri:https://auth.example.com/clients/shop",), "shop")
    [event] = [row for row in world.audit() if row.tag == tags.CERTIFICATE_ISSUED]
    assert event.target == "shop"
    assert loaded(made).subject.rfc4514_string() == "CN=shop"


@pytest.mark.parametrize(
    ("profile", "names", "check"),
    [
        ("server", ["api.example.org"], "name_constraints"),
        ("server", ["notexample.com"], "name_constraints"),
        ("server", ["192.0.2.1"], "name_constraints"),
        ("server", ["*.example.com"], "identity"),
        ("server", ["api..example.com"], "identity"),
        ("server", ["api.example.com."], "identity"),
        ("server", ["\u212aey.example.com"], "identity"),
        ("server", ["b\u00fccher.example.com"], "identity"),
        ("server", ["dns:10.0.0.0x1"], "identity"),
        ("server", ["dns:10.0.0.1"], "identity"),
        ("server", ["fe80::1%eth0"], "identity"),
        ("server", ["spiffe://trust.example.com/x"], "profile"),
        ("server", ["https://auth.example.com/clients/shop"], "profile"),
        ("server", ["api.example.com", "API.example.com"], "profile"),
        ("client", ["https://elsewhere.example.com/clients/shop"], "name_constraints"),
        ("client", ["api.example.com"], "profile"),
        ("workload", ["spiffe://elsewhere.example.com/orders"], "name_constraints"),
        ("workload", ["spiffe://trust.example.com/a", "spiffe://trust.example.com/b"], "profile"),
        ("workload", ["api.example.com"], "profile"),
        ("workload", ["spiffe://trust.example.com/a/../b"], "identity"),
        ("workload", ["spiffe://trust.example.com/a/"], "identity"),
        ("workload", ["spiffe://trust.example.com"], "identity"),
        ("workload", ["spiffe://trust.example.com/"], "identity"),
        ("workload", ["spiffe://trust.example.com//a"], "identity"),
        ("workload", ["spiffe://trust.example.com/a%2fb"], "identity"),
        ("workload", ["spiffe://trust.example.com:8443/a"], "identity"),
        ("workload", ["spiffe://user@trust.example.com/a"], "identity"),
        ("workload", ["spiffe://Trust.example.com/a"], "identity"),
    ],
)
def test_a_name_that_does_not_fit_is_refused(ca: Ca, profile: str, names: list[str], check: str) -> None:
    with pytest.raises(VerificationError) as refused:
        ca.prepare(profile, *names)
    assert refused.value.check == check


@pytest.mark.parametrize("life", [0, -1, 90 * DAY + 1])
def test_a_life_beyond_the_bounds_is_refused(ca: Ca, life: int) -> None:
    with pytest.raises(VerificationError) as refused:
        ca.prepare(life=life)
    assert refused.value.check == "life"


def test_nothing_outlives_its_authority(ca: Ca, world: World) -> None:
    end = ca.authorities.issuing().record.not_after
    world.clock.now = end - 3600
    assert ca.prepare().record.not_after == end
    world.clock.now = end
    with pytest.raises(Unavailable):
        ca.prepare()


def test_nothing_begins_before_its_authority(ca: Ca) -> None:
    """The authority was founded a moment ago, and what is issued is dated back for clocks that are behind."""
    authority = ca.authorities.issuing().record
    ca.world.clock.now = authority.not_before + 1
    assert ca.prepare().record.not_before == authority.not_before


def test_one_key_has_one_holder(ca: Ca) -> None:
    key = new_key()
    ca.issue(key=key, owner="ops")
    ca.issue(key=key, owner="ops")  # a renewal
    with pytest.raises(VerificationError) as refused:
        ca.issue(key=key, owner="somebody else")
    assert refused.value.check == "key"


def test_a_compromised_key_is_never_certified_again(ca: Ca, world: World) -> None:
    key = new_key()
    made = ca.issue(key=key)
    world.write(lambda work: revoke_certificate(work, made.serial, ca.act(), "keyCompromise"))
    with pytest.raises(VerificationError) as refused:
        ca.issue(key=key)
    assert refused.value.check == "key"


def test_a_weak_key_is_refused(ca: Ca) -> None:
    from ostiary.certificate_authority import subject_keys

    for name, key in weak_keys():
        with pytest.raises(VerificationError) as refused:
            subject_keys.checked(key.public_key())
        assert refused.value.check == "key", name


def test_the_next_authority_takes_over_without_a_gap(ca: Ca, world: World) -> None:
    first = ca.issue()
    prepared = ca.prepare()
    ca.add_issuing("ES384")
    second = ca.issue()
    assert first.authority_id != second.authority_id
    states = {one.authority_id: one.state for one in ca.authorities.records() if one.kind == "issuing"}
    assert states == {first.authority_id: "retired", second.authority_id: "active"}
    # What the old one signed before the switch and was not written yet is signed anew by whoever asks again.
    with pytest.raises(VerificationError) as refused:
        ca.record(prepared)
    assert refused.value.check == "authority"


def test_the_key_of_an_authority_opens_for_nothing_else(ca: Ca, world: World) -> None:
    from ostiary.certificate_authority.authorities import kid_of
    from ostiary.errors import ConfigurationError
    from ostiary.key_management.file import FileKeyManagement

    record = ca.authorities.issuing().record
    management = FileKeyManagement.from_settings(world.settings.keys)
    with pytest.raises(ConfigurationError):
        management.signer(kid_of(record), "token", record.alg, record.wrapped_private_key)


@pytest.mark.parametrize(
    "field", ["serial", "not_before", "not_after", "identities", "profile", "public_key", "common_name"]
)
def test_what_was_signed_otherwise_than_meant_is_thrown_away(ca: Ca, field: str) -> None:
    from ostiary.certificate_authority import form
    from ostiary.certificate_authority.ca_key import HASHES
    from ostiary.certificate_authority.profiles import PROFILES

    authority, wanted, now = ca.authorities.issuing(), ca.wanted(), int(ca.world.clock())
    meant = form.CertificateForm(
        form.new_serial(), wanted.profile, wanted.identities, wanted.public_key, "", now, now + DAY
    )
    urls = ca.authorities.urls(authority.record.authority_id)
    signed = meant.builder(authority.certificate, urls).sign(authority.key, HASHES["ES256"])
    der = signed.public_bytes(Encoding.DER)
    assert recheck(der, meant, authority.certificate, urls) == signed
    other: dict[str, Any] = {
        "serial": 7,
        "not_before": now + 1,
        "not_after": now + DAY + 1,
        "identities": ("dns:other.example.com",),
        "profile": PROFILES["client"],
        "public_key": new_key().public_key(),
        "common_name": "another",
    }
    with pytest.raises(Unavailable):
        recheck(der, replace(meant, **{field: other[field]}), authority.certificate, urls)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ("signature", "InvalidSignature"),
        ("urls", "contents"),
        ("key usage", "key usage"),
        ("basic constraints", "basic constraints"),
        ("one more", "extensions"),
        ("critical", "contents"),
        ("too long", "within the authority's life"),
    ],
)
def test_what_a_faulty_signer_made_of_the_form_is_thrown_away(ca: Ca, wrong: str, word: str) -> None:
    from ostiary.certificate_authority import form
    from ostiary.certificate_authority.ca_key import HASHES

    authority, wanted, now = ca.authorities.issuing(), ca.wanted(), int(ca.world.clock())
    end = authority.record.not_after + 1 if wrong == "too long" else now + DAY
    meant = form.CertificateForm(7, wanted.profile, wanted.identities, wanted.public_key, "", now, end)
    urls = ca.authorities.urls(authority.record.authority_id)
    extensions = dict(enumerate(meant.extensions(authority.certificate, urls)))
    changed: dict[str, dict[int, tuple[x509.ExtensionType, bool]]] = {
        "basic constraints": {0: (x509.BasicConstraints(True, None), True)},
        "key usage": {1: (form.authority_usage(), True)},
        "critical": {2: (extensions[2][0], True)},
        "one more": {8: (x509.OCSPNoCheck(), False)},
        "urls": {6: (meant.extensions(authority.certificate, replace(urls, crl="http://elsewhere/"))[6])},
    }
    built = form.builder(
        meant.subject(), authority.certificate.subject, wanted.public_key, 7, now, end,
        (extensions | changed.get(wrong, {})).values(),
    )  # fmt: skip
    signer = new_key() if wrong == "signature" else authority.key
    with pytest.raises(Unavailable, match=word):
        recheck(built.sign(signer, HASHES["ES256"]).public_bytes(Encoding.DER), meant, authority.certificate, urls)


def test_the_certificates_of_a_disabled_client_are_revoked(ca: Ca, world: World) -> None:
    world.add_client("shop")
    made, other = ca.issue("client", client_id="shop"), ca.issue()
    world.write(lambda work: revoke_client(work, "shop", ca.act()))
    states = [world.read(lambda work, s=one.serial: work.certificates.get(s)).state(0) for one in (made, other)]
    assert states == ["revoked", "valid"]


def test_a_revocation_has_one_winner(ca: Ca, world: World) -> None:
    made = ca.issue()
    done = [world.write(lambda work: revoke_certificate(work, made.serial, ca.act()))[0] for _ in range(2)]
    assert [ended.certificates for ended in done] == [1, 0]


def test_the_key_of_an_authority_is_wrapped_anew_with_the_others(ca: Ca, world: World, tmp_path: Path) -> None:
    from ostiary.certificate_authority.authorities import Authorities
    from ostiary.key_management.file import FileKeyManagement
    from ostiary.key_management.key_encryption_key import create_key_encryption_key

    new = create_key_encryption_key(tmp_path / "new-kek")
    before = ca.authorities.issuing().record.wrapped_private_key
    world.run(world.signing_keys.rewrap(new))
    management = FileKeyManagement.from_file(tmp_path / "new-kek")
    elsewhere = Authorities(world.storage, management, world.settings, world.clock)
    world.run(elsewhere.refresh())
    assert elsewhere.issuing().record.wrapped_private_key != before
    world.run(issuing.prepare(elsewhere, ca.wanted(), world.clock()))
