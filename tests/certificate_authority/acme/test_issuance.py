"""A certificate by ACME, from the directory to the chain; all of it real but the network."""

from __future__ import annotations

from cryptography import x509

from ostiary.audit import tags
from ostiary.certificate_authority.acme.validation.validator import Validator
from tests.authorization_server.world import Answer, World
from tests.certificate_authority.acme.client import AcmeClient, csr, path_of
from tests.certificate_authority.acme.conftest import configured
from tests.certificate_authority.acme.served_names import name_server, web
from tests.certificate_authority.authority import Ca

NAME = "www.example.com"


def validator(world: World) -> Validator:
    return Validator(world.storage, world.server.settings.acme, world.clock)


def prove(client: AcmeClient, order: Answer) -> None:
    """Have every name of an order proved by http-01."""
    world = client.world

    async def served() -> None:
        addresses = {(one["value"], "A"): ["127.0.0.1"] for one in order.json["identifiers"]}
        async with name_server(addresses) as names, web() as site:
            configured(world, http_port=site.port, dns_server=f"127.0.0.1:{names.port}")
            for token in tokens:
                site.answers[f"/.well-known/acme-challenge/{token}"] = client.key_authorization(token).encode()
            assert await validator(world).round() == len(tokens)

    tokens = []
    for place in range(len(order.json["authorizations"])):
        challenge = client.challenge(order, place=place)
        answer = client.post(path_of(challenge["url"]), {})
        assert (answer.status, answer.json["status"]) == (200, "processing"), answer.body
        tokens.append(challenge["token"])
    world.run(served())


def test_a_certificate_is_ordered_proved_and_issued(client: AcmeClient, ca: Ca) -> None:
    world = client.world
    order = client.order(NAME, "api.example.com")
    assert order.status == 201, order.body
    assert order.json["status"] == "pending"
    prove(client, order)
    place = path_of(order.headers["location"])
    assert client.post(place).json["status"] == "ready"

    done = client.post(path_of(order.json["finalize"]), {"csr": csr(NAME, "api.example.com")})
    assert (done.status, done.json["status"]) == (200, "valid"), done.body

    chain = client.post(path_of(done.json["certificate"]))
    assert chain.headers["content-type"] == "application/pem-certificate-chain"
    leaf, issuer = x509.load_pem_x509_certificates(chain.body)
    leaf.verify_directly_issued_by(issuer)
    issuer.verify_directly_issued_by(ca.root.certificate)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME, "api.example.com"]

    kept = world.read(lambda work: work.certificates.get(f"{leaf.serial_number:x}"))
    assert (kept.owner, kept.profile, kept.proof) == ("ops", "server", f"acme:{path_of(client.kid).split('/')[-1]}")
    told = [row.tag for row in world.audit()]
    for tag in (
        tags.ACME_CREDENTIAL_CREATED,
        tags.ACME_ACCOUNT_CREATED,
        tags.ACME_ORDER_CREATED,
        tags.ACME_CHALLENGE_BEGUN,
        tags.ACME_CHALLENGE_PASSED,
        tags.CERTIFICATE_ISSUED,
    ):
        assert tag in told
