"""Clients with certificates that stand in ostiary.toml, and the authorities of ``[mtls]``."""

from __future__ import annotations

from pathlib import Path
from ssl import DER_cert_to_PEM_cert
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519

from ostiary.authorization_server.client_trust import read_authorities
from ostiary.errors import ConfigurationError
from ostiary.model.mutual_tls import MutualTls
from tests.authorization_server.certificates import authority, leaf, name, rsa_key, self_signed, unknown_to_anybody
from tests.authorization_server.key_world import KeyWorld
from tests.authorization_server.test_static_registration import Files, client, holds, refusal, synchronized

OWN = self_signed(begins=-20 * 31_536_000, ends=20 * 31_536_000)
SELF_SIGNED = 'authentication_method = "self_signed_tls_client_auth"\ncertificates = ["own.pem"]\n'
NAMED = 'authentication_method = "tls_client_auth"\ncertificate_subject = { san_dns = "Shop.example.com" }\n'


def test_a_client_of_the_file_has_its_certificate_or_its_subject(tmp_path: Path) -> None:
    async def claim(world: KeyWorld, files: Files) -> None:
        (files.folder / "own.pem").write_bytes(OWN.pem)
        text = f"[static.clients.shop]\n{SELF_SIGNED}bound_tokens = true\n[static.clients.named]\n{NAMED}"
        assert await synchronized(world, files, text) == 3
        assert await synchronized(world, files, text) == 0
        assert (await client(world)).mutual_tls == MutualTls(bound_tokens=True)
        assert (await client(world, "named")).mutual_tls == MutualTls("san_dns", "shop.example.com")
        async with world.storage.read() as work:
            found = await work.client_keys.by_thumbprint(OWN.thumbprint)
        assert found is not None
        assert (found.client_id, found.source, found.certificate) == ("shop", "static", OWN.der)

    holds(tmp_path, claim)


@pytest.mark.parametrize(
    "members",
    [
        'authentication_method = "tls_client_auth"\n',
        'certificate_subject = { san_dns = "shop.example.com" }\n',
        NAMED.replace("}", ', san_uri = "urn:x" }'),
        NAMED.replace("san_dns", "cn"),
        NAMED.replace("Shop", "*"),
        'certificates = ["own.pem"]\n',
        SELF_SIGNED + 'keys = ["one.jwk"]\n',
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path: Path, members: str) -> None:
    with pytest.raises(ConfigurationError):
        Files(tmp_path).settings("[static.clients.shop]\n" + members)


@pytest.mark.parametrize("content", [b"", b"x", OWN.pem + OWN.key_pem, self_signed(key=rsa_key(1024)).pem, None])
def test_a_certificate_file_that_is_none_is_refused(tmp_path: Path, content: bytes | None) -> None:
    async def claim(world: KeyWorld, files: Files) -> None:
        if content is not None:
            (files.folder / "own.pem").write_bytes(content)
        assert "own.pem" in await refusal(world, files, "[static.clients.shop]\n" + SELF_SIGNED)

    holds(tmp_path, claim)


def test_one_certificate_for_two_clients_is_refused(tmp_path: Path) -> None:
    async def claim(world: KeyWorld, files: Files) -> None:
        (files.folder / "own.pem").write_bytes(OWN.pem)
        text = f"[static.clients.shop]\n{SELF_SIGNED}[static.clients.second]\n{SELF_SIGNED}"
        assert "give each a key of its own" in await refusal(world, files, text)

    holds(tmp_path, claim)


ROOT = authority()
REFUSED: dict[str, Any] = {
    "a client's": leaf(ROOT),
    "no CA": authority(is_ca=False),
    "Ed25519": authority(key=ed25519.Ed25519PrivateKey.generate()),
    "weak": authority(key=rsa_key(1024)),
    "only some directory names": authority(constraints=x509.NameConstraints([x509.DirectoryName(name("Shop"))], None)),
    "not some directory names": authority(constraints=x509.NameConstraints(None, [x509.DirectoryName(name("Shop"))])),
    "of no version": SimpleNamespace(pem=DER_cert_to_PEM_cert(unknown_to_anybody(ROOT.certificate)[0]).encode()),
}


@pytest.mark.parametrize("bad", REFUSED)
def test_what_is_no_authority_that_can_be_used_is_refused_at_the_start(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(REFUSED[bad].pem)
    with pytest.raises(ConfigurationError, match="is refused"):
        read_authorities((path,))


def test_one_file_may_hold_several_authorities(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(ROOT.pem + authority("Second").pem)
    assert len(read_authorities((path,)).roots) == 2
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_authorities((tmp_path / "gone.pem",))


def test_a_root_stays_one_beside_its_older_self_and_beside_who_signed_its_key(tmp_path: Path) -> None:
    """A root is renewed with its key, and both stand in the file meanwhile; or another one certifies it."""
    older, younger = authority("Root", key=ROOT.key, begins=-200_000), authority("Root", key=ROOT.key)
    other = authority("Other")
    crossed = authority("Root", other, key=ROOT.key)
    (tmp_path / "ca.pem").write_bytes(older.pem + younger.pem + crossed.pem + other.pem)
    found = read_authorities((tmp_path / "ca.pem",))
    assert found.roots == (older.certificate, younger.certificate, other.certificate)
    assert found.intermediates == (crossed.certificate,)


def test_an_authority_below_another_one_is_believed_by_its_word_alone(tmp_path: Path) -> None:
    """What the upper one forbids the lower one, it cannot allow itself by standing in the file."""
    below, alone = authority("Below", ROOT), authority("Alone", authority("Not here"))
    impostor = authority("Below the name", authority())
    (tmp_path / "ca.pem").write_bytes(below.pem + ROOT.pem)
    (tmp_path / "more.pem").write_bytes(alone.pem + impostor.pem)
    found = read_authorities((tmp_path / "ca.pem", tmp_path / "more.pem"))
    assert found.intermediates == (below.certificate,)
    assert found.roots == (ROOT.certificate, alone.certificate, impostor.certificate)
