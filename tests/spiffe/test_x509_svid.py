"""X.509-SVIDs by API: a workload gets the SPIFFE ID that was registered for it, and nobody gets a foreign one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from ostiary.errors import VerificationError
from ostiary.protocol import base64url
from tests.authorization_server.world import Answer
from tests.certificate_authority.authority import Ca, new_key
from tests.endpoints.test_client_authentication import refused_by
from tests.spiffe.trust_domain import BILLING, REPORTS, TrustDomainWorld


def asked(world: TrustDomainWorld, client_id: str = "billing", san: str | None = None, **parameters: Any) -> Answer:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if san is not None:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(san)])
        builder = builder.add_extension(names, critical=False)
    request = builder.sign(new_key(), SHA256())
    csr = base64url.encode(request.public_bytes(Encoding.DER)).decode()
    return world.post("/certificates", world.form(client_id, csr=csr, **({"profile": "workload"} | parameters)))


def test_a_workload_gets_its_svid(world: TrustDomainWorld) -> None:
    answer = asked(world, san=BILLING)
    assert answer.status == 201, answer.body
    certificate = x509.load_pem_x509_certificates(answer.json["certificate"].encode())[0]
    san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert [name.value for name in san.value] == [BILLING]
    # "The Subject field is not required, however the URI SAN extension MUST be marked as critical if Subject is
    # omitted" X.509-SVID 3.1
    assert san.critical == (len(list(certificate.subject)) == 0)


@pytest.mark.parametrize("name", ["sub", "spiffe_id", "names", "uri"])
def test_who_asks_chooses_no_spiffe_id(world: TrustDomainWorld, name: str) -> None:
    answer = asked(world, **{name: REPORTS})
    certificate = x509.load_pem_x509_certificates(answer.json["certificate"].encode())[0]
    san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert [one.value for one in san.value] == [BILLING]


def test_a_request_for_another_workload_is_refused(world: TrustDomainWorld) -> None:
    assert asked(world, san=REPORTS).status == 400


def test_a_client_that_is_no_workload_gets_none(world: TrustDomainWorld) -> None:
    world.add_client("shop")
    refused_by(world, asked(world, "shop"), "spiffe_id", "invalid_request", 400)


def test_no_client_gets_the_profile_of_a_server(world: TrustDomainWorld) -> None:
    refused_by(world, asked(world, profile="server"), "profile", "invalid_request", 400)


def test_the_operator_gives_no_foreign_spiffe_id_either(world: TrustDomainWorld, ca: Ca) -> None:
    # The issuer's own host is within the authority's constraints, for its clients' names, and is no trust domain.
    with pytest.raises(VerificationError) as refused:
        ca.prepare("workload", "spiffe://auth.example.com/orders")
    assert refused.value.check == "name_constraints"


def test_a_workload_that_lost_its_spiffe_id_renews_nothing(world: TrustDomainWorld) -> None:
    pem = asked(world).json["certificate"].encode()
    world.certificate = x509.load_pem_x509_certificates(pem)[0].public_bytes(Encoding.DER)
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(new_key(), SHA256())
    form = {"csr": base64url.encode(csr.public_bytes(Encoding.DER)).decode()}
    assert world.post("/certificates/renew", form).status == 201

    async def take_away(work: Any) -> None:
        await work.clients.replace(replace(await work.clients.get("billing"), spiffe_id=None))

    world.write(take_away)
    refused_by(world, world.post("/certificates/renew", form), "spiffe_id", "invalid_request", 400)
