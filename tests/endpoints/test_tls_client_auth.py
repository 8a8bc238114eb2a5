"""``tls_client_auth``: each check alone (standards 80 and 81, attacks 50 and 51, RFC 8705 section 2.1)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ostiary.authorization_server.certificate_chain import MAX_DEPTH
from ostiary.authorization_server.certificate_keys import certificate_key
from ostiary.authorization_server.client_trust import Authorities, ConfiguredTrust
from ostiary.errors import Unavailable
from ostiary.model.client import Client
from ostiary.model.mutual_tls import MutualTls
from ostiary.protocol.certificate import Certificate, read
from ostiary.revocation import Act
from ostiary.storage.base import UnitOfWork
from tests.authorization_server.certificates import (
    Made,
    authority,
    certificate,
    key_usage,
    leaf,
    name,
    rsa_key,
    self_signed,
    unknown_to_anybody,
)
from tests.authorization_server.world import NOW, ORDERS, Answer, World, shop_world
from tests.endpoints.test_client_authentication import refused_by

ROOT = authority()
INTERMEDIATE = authority("Issuing CA", ROOT)
DNS = x509.DNSName("shop.example.com")
ASK = {"grant_type": "client_credentials", "resource": ORDERS}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The usual world; ``shop`` by key, ``tls`` by a certificate for shop.example.com, ``public`` by its name alone."""
    with shop_world(tmp_path) as built:
        trust(built, ROOT, intermediates=(INTERMEDIATE,))
        tls_client(built, "tls", "san_dns", "shop.example.com")
        built.add_client("public", key=None, authentication_method="none")
        yield built


def trust(world: World, *roots: Made, intermediates: tuple[Made, ...] = ()) -> None:
    """Let ``world`` believe these authorities and no others."""
    chosen = Authorities(tuple(one.certificate for one in roots), tuple(one.certificate for one in intermediates))
    world.server.client_trust = ConfiguredTrust(chosen)


def tls_client(world: World, client_id: str, kind: Any, value: str, **changes: Any) -> Client:
    """A client of ``tls_client_auth``."""
    return world.add_client(
        client_id,
        key=None,
        authentication_method="tls_client_auth",
        mutual_tls=MutualTls(kind, value),
        **changes,
    )


def ask(world: World, shown: Made | bytes | None, client_id: str = "tls", **form: str) -> Answer:
    """Ask for a token over a connection with this certificate."""
    world.certificate = shown.der if isinstance(shown, Made) else shown
    return world.post("/token", {**ASK, "client_id": client_id, **form})


def test_a_certificate_that_names_the_client_proves_it(world: World) -> None:
    made = leaf(ROOT, DNS)
    answer = ask(world, made)
    assert answer.status == 200, answer.body
    issued = [row for row in world.audit() if row.tag == "token:issued"]
    assert [(row.actor, row.key_thumbprint) for row in issued] == [("tls", made.thumbprint)]


def test_a_proof_by_certificate_uses_nothing_up(world: World) -> None:
    made = leaf(ROOT, DNS)
    assert [ask(world, made).status for _ in range(3)] == [200, 200, 200]


def test_the_way_may_lead_over_a_configured_intermediate(world: World) -> None:
    assert ask(world, leaf(INTERMEDIATE, DNS)).status == 200


def test_an_intermediate_that_is_not_configured_leads_nowhere(world: World) -> None:
    """Only what the operator named stands between a certificate and its CA."""
    refused_by(world, ask(world, leaf(authority("Other issuing CA", ROOT), DNS)), "certificate")


SUBJECT = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Shop, Inc."),
        x509.NameAttribute(NameOID.COMMON_NAME, "shop"),
    ]
)
SPIFFE = "spiffe://example.com/shop"
SUBJECTS: list[tuple[str, str, dict[str, Any]]] = [
    ("subject_dn", r"CN=shop,O=Shop\, Inc.,C=DE", {"subject": SUBJECT}),
    ("san_dns", "shop.example.com", {"names": (x509.DNSName("SHOP.example.com"),)}),
    ("san_uri", SPIFFE, {"names": (x509.UniformResourceIdentifier(SPIFFE),)}),
    ("san_ip", "192.0.2.7", {"names": (x509.IPAddress(ipaddress.ip_address("192.0.2.7")),)}),
    ("san_ip", "2001:db8::7", {"names": (x509.IPAddress(ipaddress.ip_address("2001:db8::7")),)}),
    ("san_email", "shop@example.com", {"names": (x509.RFC822Name("shop@EXAMPLE.com"),)}),
]


@pytest.mark.parametrize(("kind", "value", "said"), SUBJECTS)
def test_each_kind_of_subject_names_a_client(world: World, kind: str, value: str, said: dict[str, Any]) -> None:
    """standards 80"""
    tls_client(world, "named", kind, value)
    made = leaf(ROOT, *said.get("names", ()), subject=said.get("subject", name("x")))
    assert ask(world, made, "named").status == 200
    refused_by(
        world, ask(world, leaf(ROOT, x509.DNSName("other.example.com"), subject=name("y")), "named"), "certificate"
    )


def test_a_value_counts_only_as_what_it_is_registered_for(world: World) -> None:
    """A name in the subject, or of another kind, is not the registered one."""
    tls_client(world, "by-uri", "san_uri", "urn:shop.example.com")
    tls_client(world, "by-name", "subject_dn", "CN=shop.example.com")
    elsewhere = x509.UniformResourceIdentifier("urn:shop.example.com")
    refused_by(world, ask(world, leaf(ROOT, elsewhere, subject=name("shop.example.com"))), "certificate")
    refused_by(world, ask(world, leaf(ROOT, DNS), "by-name"), "certificate")
    refused_by(world, ask(world, leaf(ROOT, DNS), "by-uri"), "certificate")


@pytest.mark.parametrize("said", ["*.example.com", "a.shop.example.com", "example.com", "shop.example.com.evil.org"])
def test_a_name_is_compared_as_a_whole_and_a_wildcard_names_nobody(world: World, said: str) -> None:
    refused_by(world, ask(world, leaf(ROOT, x509.DNSName(said))), "certificate")


@pytest.mark.parametrize(
    "subject", [r"CN=shop,O=Shop\, Inc.", "CN=Shop,O=Shop\\, Inc.,C=DE", "C=DE,O=Shop\\, Inc.,CN=shop"]
)
def test_a_subject_is_compared_rdn_by_rdn(world: World, subject: str) -> None:
    """RFC 8705 2.1.2: in order, each with its value, not by how it was written."""
    tls_client(world, "named", "subject_dn", subject)
    refused_by(world, ask(world, leaf(ROOT, subject=SUBJECT), "named"), "certificate")


def test_a_client_without_a_registered_subject_is_proven_by_no_certificate(world: World) -> None:
    world.add_client("bare", key=None, authentication_method="tls_client_auth")
    refused_by(world, ask(world, leaf(ROOT, subject=name("")), "bare"), "certificate")


NO_CA = authority("No CA", ROOT, is_ca=False)
SHORT = authority("Short CA", path_length=0)
BELOW_SHORT = authority("Below", SHORT)
NARROW = authority("Narrow CA", ROOT, constraints=x509.NameConstraints([x509.DNSName("other.example.com")], None))
WITHOUT = authority("Without CA", ROOT, constraints=x509.NameConstraints(None, [x509.DNSName("example.com")]))
WITHOUT_SHOP = authority("Without shop CA", ROOT, constraints=x509.NameConstraints(None, [DNS]))
OF_URIS = x509.NameConstraints([x509.UniformResourceIdentifier("example.com")], None)
OLD = authority("Old CA", ROOT, begins=-1000, ends=-10)
WEAK = authority("Weak CA", key=rsa_key(1024))
SAN = x509.SubjectAlternativeName([DNS])
ISSUED = leaf(ROOT, DNS)
ODD = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")

VIOLATIONS: dict[str, tuple[Callable[[], Made], tuple[Made, ...], tuple[Made, ...]]] = {
    "another root of the same name": (lambda: leaf(authority(), DNS), (ROOT,), ()),
    "self-signed": (
        lambda: certificate(name("shop"), None, [(x509.SubjectAlternativeName([DNS]), False)]),
        (ROOT,),
        (),
    ),
    "expired": (lambda: leaf(ROOT, DNS, begins=-100, ends=-1), (ROOT,), ()),
    "not yet valid": (lambda: leaf(ROOT, DNS, begins=1, ends=100), (ROOT,), ()),
    "for servers": (lambda: leaf(ROOT, DNS, purposes=(ExtendedKeyUsageOID.SERVER_AUTH,)), (ROOT,), ()),
    "for anything": (lambda: leaf(ROOT, DNS, purposes=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)), (ROOT,), ()),
    "for nothing said": (lambda: leaf(ROOT, DNS, purposes=()), (ROOT,), ()),
    "no signatures": (lambda: leaf(ROOT, DNS, usage=key_usage("key_agreement")), (ROOT,), ()),
    "a CA itself": (lambda: leaf(ROOT, DNS, more=[(x509.BasicConstraints(True, None), True)]), (ROOT,), ()),
    "an unknown critical extension": (lambda: leaf(ROOT, DNS, more=[(ODD, True)]), (ROOT,), ()),
    "a weak RSA key": (lambda: leaf(ROOT, DNS, key=rsa_key(1024)), (ROOT,), ()),
    "a weak curve": (lambda: leaf(ROOT, DNS, key=ec.generate_private_key(ec.SECP224R1())), (ROOT,), ()),
    "issued by no CA": (lambda: leaf(NO_CA, DNS), (ROOT,), (NO_CA,)),
    "issued by a client": (lambda: leaf(ISSUED, DNS), (ROOT,), (ISSUED,)),
    "path length": (lambda: leaf(BELOW_SHORT, DNS), (SHORT,), (BELOW_SHORT,)),
    "name not permitted": (lambda: leaf(NARROW, DNS), (ROOT,), (NARROW,)),
    "name excluded": (lambda: leaf(WITHOUT, DNS), (ROOT,), (WITHOUT,)),
    "an expired CA": (lambda: leaf(OLD, DNS), (ROOT,), (OLD,)),
    "a CA with a weak key": (lambda: leaf(WEAK, DNS), (WEAK,), ()),
    "an intermediate without its root": (lambda: leaf(INTERMEDIATE, DNS), (SHORT,), (INTERMEDIATE,)),
    "nobody is trusted": (lambda: leaf(ROOT, DNS), (), (ROOT,)),
}


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_what_breaks_rfc_5280_is_refused(world: World, violation: str) -> None:
    """standards 81, attacks 50 and 51: the TLS door may have let it in; here it is judged again."""
    made, roots, intermediates = VIOLATIONS[violation]
    trust(world, *roots, intermediates=intermediates)
    answer = ask(world, made())
    refused_by(world, answer, "certificate")
    assert answer.json["error_description"] == "client authentication failed"


GOOD: dict[str, tuple[Callable[[], Made], tuple[Made, ...], tuple[Made, ...]]] = {
    "path length that is kept": (lambda: leaf(SHORT, DNS), (SHORT,), ()),
    "a permitted name": (lambda: leaf(NARROW, x509.DNSName("other.example.com"), DNS), (ROOT,), (NARROW,)),
    "P-384": (lambda: leaf(ROOT, DNS, key=ec.generate_private_key(ec.SECP384R1())), (ROOT,), ()),
    "Ed25519": (lambda: leaf(ROOT, DNS, key=ed25519.Ed25519PrivateKey.generate()), (ROOT,), ()),
    "RSA": (lambda: leaf(ROOT, DNS, key=rsa_key(2048)), (ROOT,), ()),
    "no key usage": (lambda: leaf(ROOT, DNS, usage=None), (ROOT,), ()),
    "for clients and servers": (
        lambda: leaf(ROOT, DNS, purposes=(ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)),
        (ROOT,),
        (),
    ),
}


@pytest.mark.parametrize("kept", [one for one in GOOD if one != "a permitted name"])
def test_what_keeps_to_rfc_5280_is_accepted(world: World, kept: str) -> None:
    made, roots, intermediates = GOOD[kept]
    trust(world, *roots, intermediates=intermediates)
    answer = ask(world, made())
    assert answer.status == 200, world.trace(answer)


def test_one_forbidden_name_beside_a_permitted_one_is_refused(world: World) -> None:
    made, roots, intermediates = GOOD["a permitted name"]
    trust(world, *roots, intermediates=intermediates)
    refused_by(world, ask(world, made()), "certificate")
    tls_client(world, "other-name", "san_dns", "other.example.com")
    assert ask(world, leaf(NARROW, x509.DNSName("other.example.com")), "other-name").status == 200


def test_a_wildcard_does_not_slip_past_what_a_constraint_excludes(world: World) -> None:
    """attack 50 (CVE-2025-61727): ``*.example.com`` covers the excluded name, and names nobody in any case."""
    trust(world, ROOT, intermediates=(WITHOUT_SHOP,))
    refused_by(world, ask(world, leaf(WITHOUT_SHOP, x509.DNSName("*.example.com"))), "certificate")
    refused_by(world, ask(world, leaf(WITHOUT_SHOP, x509.DNSName("*.example.com"), DNS)), "certificate")


def test_a_constraint_that_cannot_be_judged_refuses(world: World) -> None:
    """attack 50: the verifier knows no constraints of URIs, so it takes no URI below a CA that has them."""
    tls_client(world, "spiffe", "san_uri", SPIFFE)
    of_uris = authority("Of URIs", ROOT, constraints=OF_URIS)
    trust(world, ROOT, intermediates=(of_uris,))
    answer = ask(world, leaf(of_uris, x509.UniformResourceIdentifier(SPIFFE)), "spiffe")
    refused_by(world, answer, "certificate")
    assert "unsupported name constraint" in world.trace(answer).checks[-1].seen


def test_a_path_may_be_no_longer_than_what_is_bounded(world: World) -> None:
    """attack 51: a long path costs a bounded effort."""
    line = [ROOT]
    for number in range(MAX_DEPTH + 1):
        line.append(authority(f"CA {number}", line[-1]))
    trust(world, ROOT, intermediates=tuple(line[1:]))
    assert ask(world, leaf(line[MAX_DEPTH - 1], DNS)).status == 200
    refused_by(world, ask(world, leaf(line[-1], DNS)), "certificate")


def test_a_certificate_ends_with_its_last_second(world: World) -> None:
    """RFC 5280 4.1.2.5: through notAfter, inclusive; the test's time is half a second later than a full one."""
    assert ask(world, leaf(ROOT, DNS, begins=-100, ends=0)).status == 200
    refused_by(world, ask(world, leaf(ROOT, DNS, begins=-100, ends=-1)), "certificate")


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x30\x00",
        b"no certificate",
        b"\x30" * 20_000,
        leaf(ROOT, DNS).der + b"\x00",
        *unknown_to_anybody(leaf(ROOT, DNS).certificate),
    ],
)
def test_what_is_no_certificate_is_refused(world: World, octets: bytes) -> None:
    refused_by(world, ask(world, octets), "certificate")


def test_a_certificate_registered_at_a_client_is_no_anchor(world: World) -> None:
    """attack 51: who registered a self-signed certificate, which is a CA, cannot issue other clients' with it."""
    own = self_signed()
    client = world.add_client("own", key=None, authentication_method="self_signed_tls_client_auth")
    record = certificate_key(read(own.der), client, now=int(NOW), source="registered")
    world.write(lambda work: work.client_keys.add(record))
    refused_by(world, ask(world, leaf(own, DNS)), "certificate")


def test_without_a_certificate_the_client_has_not_proven_itself(world: World) -> None:
    refused_by(world, ask(world, None), "client")


def test_the_client_id_must_stand_in_the_form(world: World) -> None:
    """RFC 8705 2: "the client MUST include the client_id parameter"."""
    world.certificate = leaf(ROOT, DNS).der
    refused_by(world, world.post("/token", ASK), "method")


def test_the_certificate_of_one_client_does_not_prove_another(world: World) -> None:
    tls_client(world, "second", "san_dns", "second.example.com")
    refused_by(world, ask(world, leaf(ROOT, DNS), "second"), "certificate")
    refused_by(world, ask(world, leaf(ROOT, DNS), "nobody"), "client")


@pytest.mark.parametrize("other", ["shop", "secret", "own"])
def test_a_certificate_is_no_authentication_of_a_client_of_another_method(world: World, other: str) -> None:
    """attack 20: whatever the certificate says, the registered method alone counts."""
    if other != "shop":
        method = {"secret": "client_secret_post", "own": "self_signed_tls_client_auth"}[other]
        world.add_client(other, key=None, authentication_method=method)
    kept = MutualTls("san_dns", "shop.example.com")
    client = world.read(lambda work: work.clients.get(other))
    world.write(lambda work: work.clients.replace(replace(client, mutual_tls=kept)))
    refused_by(world, ask(world, leaf(ROOT, DNS), other), "certificate" if other == "own" else "client")


def test_a_client_of_certificates_is_proven_by_nothing_else(world: World) -> None:
    """Neither by an assertion nor by a secret, with or without its certificate beside it."""
    world.add_key("tls", "tls-1")
    for shown in (None, leaf(ROOT, DNS)):
        refused_by(world, ask(world, shown, **world.form("tls")), "client")
        refused_by(world, ask(world, shown, client_secret="x"), "client")


def test_a_client_of_keys_may_show_a_certificate_beside_its_assertion(world: World) -> None:
    world.certificate = leaf(ROOT, DNS).der
    assert world.token("shop").status == 200


def test_a_public_client_may_show_a_certificate_and_stays_public(world: World) -> None:
    answer = ask(world, leaf(ROOT, DNS), "public")
    assert (answer.status, answer.json["error"]) == (400, "unauthorized_client")
    world.certificate = leaf(ROOT, DNS).der
    assert world.post("/introspect", {"client_id": "public", "token": "x"}).status == 401


def test_a_disabled_client_is_refused_after_its_proof_alone(world: World) -> None:
    client = world.read(lambda work: work.clients.get("tls"))
    world.write(lambda work: work.clients.replace(replace(client, state="disabled")))
    answer = ask(world, leaf(ROOT, DNS))
    refused_by(world, answer, "client")
    assert answer.json["error_description"] == "the client is disabled"
    assert ask(world, leaf(SHORT, DNS)).json["error_description"] == "client authentication failed"


def test_strangers_are_told_the_same_of_every_client(world: World) -> None:
    def told(answer: Answer) -> object:
        return answer.status, {**answer.json, "trace": ""}, sorted(answer.headers)

    world.add_client("own", key=None, authentication_method="self_signed_tls_client_auth")
    for shown in (leaf(ROOT, x509.DNSName("x.example.com")), self_signed(), leaf(ROOT, begins=-9, ends=-8)):
        world.certificate = shown.der
        for path in ("/token", "/introspect"):
            forms = [{**ASK, "client_id": one} for one in ("tls", "own", "nobody", "shop")]
            answers = [told(world.post(path, form)) for form in forms]
            assert all(one == answers[0] for one in answers), answers


class Revoked(ConfiguredTrust):
    """The trust of a world whose own authority revoked everything, or cannot say."""

    fault = False

    async def revoked(self, certificate: Certificate) -> bool:
        if self.fault:
            raise Unavailable("certificate authority", "down")
        return True


@pytest.mark.parametrize("fault", [False, True])
def test_whether_it_was_revoked_is_asked_of_each_use_and_a_fault_refuses(world: World, fault: bool) -> None:
    made = leaf(ROOT, DNS)
    assert ask(world, made).status == 200
    revoking = Revoked(Authorities((ROOT.certificate,)))
    revoking.fault = fault
    world.server.client_trust = revoking
    answer = ask(world, made)
    if fault:
        assert answer.status == 503
    else:
        refused_by(world, answer, "certificate")
        assert "revoked" in world.trace(answer).checks[-1].seen


def test_revoking_a_certificate_ends_the_tokens_that_it_obtained(world: World) -> None:
    made, other = leaf(ROOT, DNS), leaf(ROOT, DNS)
    tokens = [ask(world, one).json["access_token"] for one in (made, other)]

    async def revoke(work: UnitOfWork) -> None:
        await work.revocations.append(Act("cli", NOW).row("client_key", made.thumbprint))

    world.write(revoke)
    assert [world.introspect(one).json["active"] for one in tokens] == [False, True]


def test_a_trace_tells_the_certificate_and_what_was_expected(world: World) -> None:
    made = leaf(ROOT, x509.DNSName("x.example.com"))
    checks = world.trace(ask(world, made)).checks
    assert [(check.name, check.passed) for check in checks] == [("certificate_chain", True), ("certificate", False)]
    last = checks[-1]
    assert made.thumbprint in last.seen
    assert "x.example.com" in last.seen
    assert "issuer CN=Trusted CA" in last.seen
    assert last.expected == "san_dns shop.example.com"
    assert "ostiary client change" in last.mend
