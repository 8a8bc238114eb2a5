"""What the CA tells everybody: its lists, its certificates, what to trust; for caches, and without a CA."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509

from ostiary.certificate_authority.revocation_lists import RevocationLists
from tests.authorization_server.world import Answer, World
from tests.certificate_authority.authority import Ca, certificate_authority


def head(world: World, path: str) -> Answer:
    return world.run(world.call("HEAD", path, b"", {}))


@pytest.fixture
def paths(ca: Ca, world: World) -> dict[str, str]:
    """Every document, with its type."""
    world.run(RevocationLists(ca.authorities).renew())
    name = ca.authorities.issuing().record.authority_id
    return {
        f"/ca/crl/{name}.crl": "application/pkix-crl",
        f"/ca/certificates/{name}.cer": "application/pkix-cert",
        "/ca/roots.pem": "application/pem-certificate-chain",
        "/ca/bundle.pem": "application/pem-certificate-chain",
    }


def test_every_document_is_told_to_everybody_with_its_type(world: World, paths: dict[str, str]) -> None:
    for path, content_type in paths.items():
        answer = world.get(path)
        assert (answer.status, answer.headers["content-type"]) == (200, content_type)
        assert answer.headers["cache-control"].startswith("public, max-age=")


def test_whoever_has_a_document_is_told_so(world: World, paths: dict[str, str]) -> None:
    for path in paths:
        etag = world.get(path).headers["etag"]
        again = world.get(path, if_none_match=etag)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)


def test_head_tells_the_length_alone(world: World, paths: dict[str, str]) -> None:
    for path in paths:
        answer, whole = head(world, path), world.get(path)
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["content-length"] == str(len(whole.body))


def test_the_documents_are_what_they_are_called(ca: Ca, world: World, paths: dict[str, str]) -> None:
    issuing = ca.authorities.issuing()
    bodies = [world.get(path).body for path in paths]
    assert x509.load_der_x509_crl(bodies[0]).issuer == issuing.certificate.subject
    assert bodies[1] == issuing.record.certificate
    assert x509.load_pem_x509_certificates(bodies[2]) == [ca.root.certificate]
    assert x509.load_pem_x509_certificates(bodies[3]) == [ca.root.certificate, issuing.certificate]


def test_the_urls_in_a_certificate_lead_to_the_documents(ca: Ca, world: World, paths: dict[str, str]) -> None:
    urls = ca.authorities.urls(ca.authorities.issuing().record.authority_id)
    for url in (urls.crl, urls.certificate):
        assert world.get(url.removeprefix(world.settings.issuer)).status == 200
    root = ca.authorities.urls(ca.authorities.issuing().record.parent)
    for url in (root.crl, root.certificate):
        assert world.get(url.removeprefix(world.settings.issuer)).status == 200


def test_below_the_path_of_an_issuer_and_at_the_root_of_the_host(tmp_path: Path) -> None:
    world = World(tmp_path, issuer="https://example.com/auth")
    try:
        ca = certificate_authority(world)
        url = ca.authorities.urls(ca.authorities.issuing().record.authority_id).certificate
        assert url.startswith("https://example.com/auth/ca/")
        for start in ("https://example.com", "https://example.com/auth"):
            assert world.get(url.removeprefix(start)).status == 200
    finally:
        world.close()


def test_a_list_is_kept_by_caches_for_a_minute_and_never_beyond_its_end(ca: Ca, world: World) -> None:
    world.run(RevocationLists(ca.authorities).renew())
    path = f"/ca/crl/{ca.authorities.issuing().record.authority_id}.crl"
    assert world.get(path).headers["cache-control"] == "public, max-age=60"
    world.clock.now += 86_400 - 10
    assert world.get(path).headers["cache-control"] == "public, max-age=10"
    world.clock.now += 20
    assert world.get(path).headers["cache-control"] == "public, max-age=0"


def test_a_revoked_authority_is_no_longer_in_the_bundle(ca: Ca, world: World) -> None:
    world.run(ca.life().revoke(ca.root, ca.authorities.issuing().record.authority_id, ca.act()))
    assert x509.load_pem_x509_certificates(world.get("/ca/bundle.pem").body) == [ca.root.certificate]


@pytest.mark.parametrize("path", ["/ca/crl/no.crl", "/ca/crl/", "/ca/certificates/no.cer", "/ca/certificates/no"])
def test_what_there_is_not_is_not_found(ca: Ca, world: World, path: str) -> None:
    answer = world.get(path)
    assert (answer.status, answer.json["error"]) == (404, "not_found")


def test_a_name_counts_only_with_its_ending(ca: Ca, world: World) -> None:
    name = ca.authorities.issuing().record.authority_id
    assert world.get(f"/ca/certificates/{name}").status == 404


@pytest.mark.parametrize("path", ["/ca/crl/a.crl", "/ca/certificates/a.cer", "/ca/roots.pem", "/ca/bundle.pem"])
def test_without_a_ca_that_is_said(world: World, path: str) -> None:
    answer = world.get(path)
    assert (answer.status, answer.json["error_description"]) == (404, "there is no certificate authority here")
