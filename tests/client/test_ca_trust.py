"""Trust by fingerprint: of what a server says, the one root that was told is kept, and nothing else."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from ostiary.certificate_authority import founding
from ostiary.client.ca_trust import MAX_BYTES, fetch_roots, fingerprint_octets
from ostiary.errors import ConfigurationError, Unavailable, VerificationError
from ostiary.protocol import algorithms
from tests.client.http_server import Received, Reply, Server

PEM = serialization.Encoding.PEM


def root(name: str) -> x509.Certificate:
    return founding.new_root(name, algorithms.generate("ES256"), "ES256", 1_800_000_000).certificate


class Ca:
    """A CA that answers with ``status``, ``headers`` and ``body``, packed if ``packs`` and the client allows it."""

    def __init__(self, server: Server) -> None:
        self.url, self._server = server.url, server
        self.status, self.body, self.packs = 200, b"", False
        self.headers: dict[str, str] = {}
        server.routes["/ca/roots.pem"] = self._answer

    @property
    def paths(self) -> list[str]:
        return [received.path for received in self._server.received]

    def _answer(self, received: Received) -> Reply:
        if self.packs and "gzip" in received.headers.get("accept-encoding", ""):
            return Reply(self.status, gzip.compress(self.body), {"Content-Encoding": "gzip"})
        return Reply(self.status, self.body, self.headers)


@pytest.fixture
def ca() -> Iterator[Ca]:
    with Server() as server:
        yield Ca(server)


def told(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


def test_of_several_roots_the_one_that_was_told_is_kept(ca: Ca) -> None:
    ours, other = root("Ours"), root("Other")
    ca.body = other.public_bytes(PEM) + ours.public_bytes(PEM)
    assert fetch_roots(f"{ca.url}/", told(ours)) == ours.public_bytes(PEM)
    assert ca.paths == ["/ca/roots.pem"]


def test_a_liar_is_not_believed(ca: Ca) -> None:
    ca.body = root("Liar").public_bytes(PEM)
    with pytest.raises(VerificationError, match="another one") as refused:
        fetch_roots(ca.url, told(root("Ours")))
    assert refused.value.mend


def test_a_redirect_is_not_followed(ca: Ca) -> None:
    ca.status, ca.headers = 302, {"location": "/elsewhere"}
    with pytest.raises(Unavailable, match="302"):
        fetch_roots(ca.url, told(root("Ours")))
    assert ca.paths == ["/ca/roots.pem"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_told(ca: Ca, body: bytes) -> None:
    ca.body = body
    with pytest.raises(Unavailable, match="no certificates"):
        fetch_roots(ca.url, told(root("Ours")))


def test_an_answer_without_end_is_cut_off(ca: Ca) -> None:
    ca.body = b" " * (MAX_BYTES + 1)
    with pytest.raises(Unavailable, match="too long"):
        fetch_roots(ca.url, told(root("Ours")))


def test_a_server_that_packs_its_answers_is_asked_not_to(ca: Ca) -> None:
    ours = root("Ours")
    ca.packs, ca.body = True, ours.public_bytes(PEM)
    assert fetch_roots(ca.url, told(ours)) == ours.public_bytes(PEM)


@pytest.mark.parametrize("url", ["ftp://ca.example.com", "ca.example.com", "https://", "file:///etc"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="--url"):
        fetch_roots(url, "0" * 64)


def test_a_fingerprint_is_taken_as_programs_print_it() -> None:
    plain = "ab" * 32
    for text in (plain, plain.upper(), ":".join(["AB"] * 32), f"sha256:{plain}", f"SHA256:{plain}"):
        assert fingerprint_octets(text) == bytes.fromhex(plain)
    for text in ("", plain[:-2], plain + "00", plain[:-1] + "g", "sha1:" + "ab" * 20):
        with pytest.raises(ConfigurationError, match="--fingerprint"):
            fingerprint_octets(text)
