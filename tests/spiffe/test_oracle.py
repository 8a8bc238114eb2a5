"""Unmodified py-spiffe reads our X.509-SVIDs, JWT-SVIDs and bundles, and refuses what it should."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from spiffe import JwtBundle, JwtSvid, TrustDomain, X509Bundle, X509Svid
from spiffe.svid.errors import JwtSvidError

from ostiary.certificate_authority import issuing
from ostiary.errors import VerificationError
from tests.authorization_server.world import Clock
from tests.certificate_authority.authority import Ca, loaded, new_key, pem_of
from tests.spiffe.trust_domain import BILLING, DOMAIN, REPORTS, TrustDomainWorld, trust_domain_world


@pytest.fixture
def domain(tmp_path: Path) -> Iterator[tuple[TrustDomainWorld, Ca]]:
    """At the present time, by which py-spiffe goes."""
    with trust_domain_world(tmp_path, Clock(time.time())) as built:
        yield built


def jwt_bundle(world: TrustDomainWorld) -> JwtBundle:
    # It reads sets of JWT keys, as the Workload API gives them, and stumbles over the roots of a whole bundle, which
    # "MUST NOT" have a kid (X.509-SVID 6.1).
    keys = [key for key in world.bundle()["keys"] if key["use"] == "jwt-svid"]
    return JwtBundle.parse(TrustDomain(DOMAIN), json.dumps({"keys": keys}).encode())


def test_it_validates_a_jwt_svid_by_our_bundle(world: TrustDomainWorld) -> None:
    bundle = jwt_bundle(world)
    svid = JwtSvid.parse_and_validate(world.svid().json["svid"], bundle, {REPORTS})
    assert (str(svid.spiffe_id), svid.audience) == (BILLING, {REPORTS})
    with pytest.raises(JwtSvidError):
        JwtSvid.parse_and_validate(world.svid().json["svid"], bundle, {"another"})


def test_it_refuses_a_jwt_svid_whose_key_was_withdrawn(world: TrustDomainWorld) -> None:
    svid = world.svid().json["svid"]
    world.run(world.signing_keys.rotate(use="jwt-svid", compromised=True))
    bundle = jwt_bundle(world)
    with pytest.raises(Exception, match=r"(?i)not found|authority"):
        JwtSvid.parse_and_validate(svid, bundle, {REPORTS})


def test_it_takes_our_x509_svid_and_the_root_of_our_bundle(world: TrustDomainWorld, ca: Ca) -> None:
    key = new_key()
    prepared = ca.prepare("workload", BILLING, "billing.example.com", key=key)
    svid = X509Svid.parse(prepared.chain_pem(), pem_of(key))
    assert str(svid.spiffe_id) == BILLING
    assert svid.leaf == loaded(prepared.record)
    root = X509Bundle.parse(TrustDomain(DOMAIN), ca.root_pem())
    (told,) = [jwk for jwk in world.bundle()["keys"] if jwk["use"] == "x509-svid"]
    pem = f"-----BEGIN CERTIFICATE-----\n{told['x5c'][0]}\n-----END CERTIFICATE-----\n".encode()
    assert X509Bundle.parse(TrustDomain(DOMAIN), pem) == root


def test_a_workload_certificate_without_a_path_is_not_issued(ca: Ca) -> None:
    with pytest.raises(VerificationError) as refused:
        ca.prepare("workload", f"spiffe://{DOMAIN}")
    assert refused.value.check == "identity"
    assert issuing.pem(ca.issue("workload", BILLING).certificate).startswith(b"-----BEGIN")
