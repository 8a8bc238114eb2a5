"""What is wrong with a server certificate is said before it is served, each fault by itself."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from ostiary.errors import ConfigurationError
from ostiary.serving.tls.certificate import ServerCertificate, checked_certificate
from tests.serving.certificates import CLIENT, DAY, NOW, Issued, issue

ROOT = issue("root", ca=True)
INTERMEDIATE = issue("intermediate", ROOT, ca=True)


def check(issued: Issued, *, key: bytes | None = None, chain: bytes | None = None) -> ServerCertificate:
    return checked_certificate(chain or issued.chain, key or issued.key_pem, where="tls.pem", now=NOW.timestamp())


@pytest.mark.parametrize("key", [None, ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)])
def test_a_good_certificate_is_taken_with_its_chain(key: ed25519.Ed25519PrivateKey | None) -> None:
    certificate = check(issue("server", INTERMEDIATE, key=key))
    assert [one.subject for one in certificate.chain] == [certificate.leaf.subject, INTERMEDIATE.certificate.subject]
    assert certificate.expires_at == (NOW + 30 * DAY).timestamp()
    assert not certificate.stands_alone
    assert "PRIVATE" not in repr(certificate)


@pytest.mark.parametrize(
    ("issued", "said"),
    [
        (issue("old", ends=-DAY / 2), "expired on .*renew it"),
        (issue("early", begins=DAY), "not valid before .*clock"),
        (issue("client", usages=[CLIENT]), "not for servers"),
        (issue("agrees only", signs=False), "may not sign"),
        (issue("short", key=rsa.generate_private_key(65537, 1024)), "too weak"),  # noqa: S505 - that is the point
        (issue("odd", key=ec.generate_private_key(ec.SECP224R1())), "too weak"),
    ],
    ids=lambda one: one.certificate.subject.rfc4514_string() if isinstance(one, Issued) else "",
)
def test_a_certificate_with_one_fault_is_refused_for_it(issued: Issued, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check(issued)


def test_a_key_of_another_certificate_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="do not belong together"):
        check(issue("server"), key=issue("other").key_pem)


def test_a_chain_that_begins_with_the_issuer_is_refused() -> None:
    leaf = issue("server", INTERMEDIATE)
    with pytest.raises(ConfigurationError, match="leaf first"):
        check(leaf, chain=INTERMEDIATE.chain + leaf.chain)


def test_a_chain_with_a_gap_is_refused() -> None:
    below = issue("below", INTERMEDIATE, ca=True)
    leaf = issue("server", below)
    gap = Issued(leaf.certificate, leaf.key, (INTERMEDIATE.certificate,))
    with pytest.raises(ConfigurationError, match="has a gap"):
        check(gap)


def test_an_encrypted_key_is_refused_and_no_terminal_is_asked() -> None:
    leaf = issue("server")
    locked = leaf.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    )
    with pytest.raises(ConfigurationError, match="encrypted"):
        check(leaf, key=locked)


@pytest.mark.parametrize("content", [b"nothing", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_refused(content: bytes) -> None:
    with pytest.raises(ConfigurationError, match="no certificate"):
        check(issue("server"), chain=content)


def test_what_is_no_key_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no private key"):
        check(issue("server"), key=b"nothing")


def test_a_leaf_without_its_issuers_is_told_from_one_that_signed_itself() -> None:
    assert check(issue("server", ROOT)).stands_alone
    assert not check(issue("server")).stands_alone


@pytest.mark.parametrize(
    ("host", "covered"),
    [("auth.example.com", True), ("AUTH.example.com", True), ("a.b.example.org", False), ("x.example.org", True),
     ("example.org", False), ("127.0.0.1", True), ("127.0.0.2", False)],
)  # fmt: skip
def test_a_certificate_covers_the_names_in_it(host: str, covered: bool) -> None:
    certificate = check(issue("server", hosts=["auth.example.com", "*.example.org", "127.0.0.1"]))
    assert certificate.covers(host) is covered


def test_a_certificate_is_due_when_less_than_a_third_of_its_life_is_left() -> None:
    certificate = check(issue("server", begins=-DAY, ends=29 * DAY))
    assert not certificate.is_due((NOW + 18 * DAY).timestamp())
    assert certificate.is_due((NOW + 20 * DAY).timestamp())
