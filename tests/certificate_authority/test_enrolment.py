"""Certificates by API: each way shows who asks, each check refuses alone, and what is refused leaves a reason."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ostiary.audit import tags
from ostiary.certificate_authority import enrolment, identities, issuing
from ostiary.certificate_authority.entitlement import Entitlement, entitlement, of_successor
from ostiary.model.certificate import Certificate
from ostiary.protocol import base64url, certificate_key, certificate_renewal, jws
from ostiary.revocation import revoke_certificate, revoke_client
from tests.authorization_server.world import ISSUER, Answer, World
from tests.certificate_authority.authority import SPIFFE_ID, Ca, new_key, weak_keys

ENROL, RENEW, CLIENT = "/certificates/enrol", "/certificates/renew", "/certificates"


def csr(key: Any = None, *extensions: tuple[x509.ExtensionType, bool]) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    der = builder.sign(key or new_key(), hashes.SHA256()).public_bytes(Encoding.DER)
    return base64url.encode(der).decode("ascii")


def san(*names: x509.GeneralName) -> tuple[x509.ExtensionType, bool]:
    return x509.SubjectAlternativeName(names), False


def token(ca: Ca, granted: Entitlement | None = None, life: int = 3600) -> str:
    granted = granted or entitlement(ISSUER, "server", ["api.example.com"], owner="ops")
    now = int(ca.world.clock())
    made: str = ca.world.write(lambda work: enrolment.new_enrolment(work, granted, now=now, until=now + life))[0]
    return made


def leaf(answer: Answer) -> x509.Certificate:
    assert answer.status == 201, answer.body
    return x509.load_pem_x509_certificates(answer.json["certificate"].encode())[0]


def proof(ca: Ca, present: Certificate, key: Any, request: str, /, **changes: Any) -> str:
    signer = certificate_key.signing_key(changes.pop("key", key))
    typ = changes.pop("typ", certificate_renewal.TYP)
    thumbprint = changes.pop("thumbprint", present.thumbprint)
    issuer, now = changes.pop("issuer", ISSUER), changes.pop("now", ca.world.clock())
    payload = certificate_renewal.build(
        thumbprint, issuer, changes.pop("csr", request), now=now, jti=changes.pop("jti", "j-1")
    )
    return jws.sign(payload, signer, typ=typ)


@pytest.fixture
def shop(world: World) -> World:
    world.add_client("shop")
    return world


def refused_by(world: World, answer: Answer) -> str:
    assert answer.status in (400, 401), answer.body
    trace = world.trace(answer)
    assert tags.CERTIFICATE_REFUSED in [row.tag for row in world.audit()]
    return trace.checks[-1].name


def test_a_client_gets_a_certificate_that_says_who_it_is(ca: Ca, shop: World) -> None:
    made = leaf(shop.post(CLIENT, shop.form("shop", csr=csr())))
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert identities.of_general_names(names) == (f"uri:{ISSUER}/clients/shop",)
    [kept] = shop.read(lambda work: work.certificates.of_client("shop", now=int(shop.clock())))
    assert kept.proof.startswith("client:")
    assert kept.owner == "team"


def test_an_api_gets_no_certificate_of_a_client(ca: Ca, world: World) -> None:
    world.add_api()
    assert refused_by(world, world.post(CLIENT, world.form("api_orders", csr=csr()))) == "client"


def test_an_installation_without_a_ca_says_so(world: World) -> None:
    world.add_client("shop")
    assert refused_by(world, world.post(CLIENT, world.form("shop", csr=csr()))) == "authority"


@pytest.mark.parametrize(
    ("request_of", "check"),
    [
        (lambda: csr(None, san(x509.DNSName("api.example.com"))), "identity"),
        (lambda: csr(None, san(x509.UniformResourceIdentifier(f"{ISSUER}/clients/other"))), "identity"),
        (lambda: csr(None, san(x509.UniformResourceIdentifier(SPIFFE_ID))), "identity"),
        (lambda: csr(None, san(x509.DNSName("*.example.com"))), "identity"),
        (lambda: csr(None, san(x509.RFC822Name("ada@example.com"))), "identity"),
        (lambda: csr(None, san(x509.OtherName(x509.ObjectIdentifier("1.2.3.4"), b"\x0c\x01a"))), "identity"),
        (lambda: csr(None, (x509.BasicConstraints(True, None), True)), "csr"),
        (lambda: _broken(csr()), "csr"),
        (lambda: _of_version(csr(), 7), "csr"),
        (lambda: base64url.encode(b"nonsense").decode(), "csr"),
        (
            lambda: csr(None, (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(16_384)), False)),
            "csr",
        ),
        (lambda: csr(weak_keys()[0][1]), "key"),
        (lambda: csr(weak_keys()[2][1]), "key"),
    ],
)
def test_a_request_for_more_or_by_a_bad_key_is_refused(ca: Ca, shop: World, request_of: Any, check: str) -> None:
    """standards G; the bad requests of RFC 2986."""
    assert refused_by(shop, shop.post(CLIENT, shop.form("shop", csr=request_of()))) == check
    assert shop.read(lambda work: work.certificates.latest()) == []


def _broken(request: str) -> str:
    der = bytearray(base64url.decode(request.encode()))
    der[-1] ^= 1
    return base64url.encode(bytes(der)).decode("ascii")


def _of_octets(size: int) -> tuple[x509.ExtensionType, bool]:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(size)), False


def _of_version(request: str, version: int) -> str:
    der = base64url.decode(request.encode())
    return base64url.encode(der.replace(b"\x02\x01\x00", bytes((2, 1, version)), 1)).decode("ascii")


@pytest.mark.parametrize(("certificates", "lists"), [(True, False), (False, True)])
def test_a_request_that_asks_to_sign_certificates_is_refused(
    ca: Ca, shop: World, certificates: bool, lists: bool
) -> None:
    usage = x509.KeyUsage(True, False, False, False, False, certificates, lists, False, False)
    assert refused_by(shop, shop.post(CLIENT, shop.form("shop", csr=csr(None, (usage, True))))) == "csr"


def test_a_request_may_name_what_is_granted(ca: Ca, shop: World) -> None:
    own = csr(None, san(x509.UniformResourceIdentifier(f"{ISSUER}/clients/shop")))
    assert shop.post(CLIENT, shop.form("shop", csr=own)).status == 201


def test_a_client_may_ask_for_less_life_and_not_for_too_much(ca: Ca, shop: World) -> None:
    made = leaf(shop.post(CLIENT, shop.form("shop", csr=csr(), life="600")))
    assert int(made.not_valid_after_utc.timestamp()) == int(shop.clock()) + 600
    assert refused_by(shop, shop.post(CLIENT, shop.form("shop", csr=csr(), life="99999999"))) == "life"
    assert refused_by(shop, shop.post(CLIENT, shop.form("shop", csr=csr(), life="x"))) == "life"


def test_an_enrolment_token_gives_one_certificate(ca: Ca, world: World) -> None:
    once = token(ca)
    answer = world.post(ENROL, {"token": once, "csr": csr()})
    names = leaf(answer).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert identities.of_general_names(names) == ("dns:api.example.com",)
    assert answer.json["roots"].encode() == ca.root_pem()
    assert refused_by(world, world.post(ENROL, {"token": once, "csr": csr()})) == "enrolment_token"


def test_an_enrolment_token_is_not_spent_on_a_refusal(ca: Ca, world: World) -> None:
    once, key = token(ca), new_key()
    ca.issue(key=key, owner="somebody else")
    foreign = csr(None, san(x509.DNSName("other.example.com")))
    assert refused_by(world, world.post(ENROL, {"token": once, "csr": foreign})) == "identity"
    assert refused_by(world, world.post(ENROL, {"token": once, "csr": csr(key)})) == "key"
    assert world.post(ENROL, {"token": once, "csr": csr()}).status == 201


def test_a_token_that_is_used_or_expired_is_known_before_anything_is_signed(ca: Ca, world: World) -> None:
    """Else whoever holds an old one lets the CA work: the request's own faults come after it."""
    used, expired = token(ca), token(ca, life=60)
    assert world.post(ENROL, {"token": used, "csr": csr()}).status == 201
    world.clock.now += 60
    for old in (used, expired):
        assert refused_by(world, world.post(ENROL, {"token": old, "csr": _broken(csr())})) == "enrolment_token"


@pytest.mark.parametrize("change", ["expired", "altered", "another kind", "none"])
def test_a_bad_enrolment_token_is_refused(ca: Ca, world: World, change: str) -> None:
    once = token(ca, life=60)
    if change == "expired":
        world.clock.now += 60
    sent = {
        "altered": once[:-1] + ("1" if once.endswith("0") else "0"),
        "another kind": once.replace("_en_", "_rt_"),
        "none": "",
    }.get(change, once)
    expected = "token" if change == "none" else "enrolment_token"
    assert refused_by(world, world.post(ENROL, {"token": sent, "csr": csr()})) == expected


def test_an_enrolment_token_of_a_disabled_client_is_worth_nothing(ca: Ca, shop: World) -> None:
    once = token(ca, entitlement(ISSUER, "client", (), client_id="shop", owner="team"))
    shop.write(lambda work: revoke_client(work, "shop", ca.act()))
    assert refused_by(shop, shop.post(ENROL, {"token": once, "csr": csr()})) == "client"


def test_fifty_uses_of_one_token_at_once_give_one_certificate(ca: Ca, world: World) -> None:
    once = token(ca)
    bodies = [urlencode({"token": once, "csr": csr()}).encode() for _ in range(50)]
    form = {"content-type": "application/x-www-form-urlencoded"}

    async def all_at_once() -> list[Answer]:
        return await asyncio.gather(*(world.call("POST", ENROL, body, form) for body in bodies))

    answers = world.run(all_at_once())
    assert sorted(answer.status for answer in answers) == [201] + [400] * 49
    assert len(world.read(lambda work: work.certificates.latest())) == 1


def test_a_certificate_renews_itself_with_another_key(ca: Ca, world: World) -> None:
    key = new_key()
    present = ca.issue(key=key)
    request = csr()
    made = leaf(world.post(RENEW, {"csr": request, "proof": proof(ca, present, key, request)}))
    kept = world.read(lambda work: work.certificates.get(f"{made.serial_number:x}"))
    assert (kept.identities, kept.owner, kept.profile) == (present.identities, present.owner, present.profile)
    assert kept.proof == f"certificate:{present.serial}"
    assert kept.key_thumbprint != present.key_thumbprint


@pytest.mark.parametrize("alg", ["ES384", "EdDSA", "RS256"])
def test_a_certificate_of_any_kind_of_key_renews_itself(ca: Ca, world: World, alg: str) -> None:
    key = new_key(alg)
    present, request = ca.issue(key=key), csr()
    assert world.post(RENEW, {"csr": request, "proof": proof(ca, present, key, request)}).status == 201


@pytest.mark.parametrize(
    ("given", "issuer_left", "successor"),
    [
        (300, 10**9, 300),
        (7 * 86_400, 10**9, 7 * 86_400),
        # The longest life may have been made shorter meanwhile.
        (200 * 86_400, 10**9, 90 * 86_400),
        # Cut short by the end of its issuer, which was nobody's wish: the profile's own, which is None.
        (3600, 3600, None),
    ],
)
def test_a_successor_lives_as_long_as_its_predecessor_was_given(
    ca: Ca, world: World, given: int, issuer_left: int, successor: int | None
) -> None:
    present, now = ca.issue(), int(world.clock())
    settings = ca.authorities.settings.certificate_authority
    granted = of_successor(replace(present, not_after=now + given), settings, issuer_ends=now + issuer_left)
    assert granted.life == successor


def test_a_short_life_stays_short_over_a_renewal(ca: Ca, world: World) -> None:
    key, request = new_key(), csr()
    present = ca.issue(key=key, life=300)
    answer = world.post(RENEW, {"csr": request, "proof": proof(ca, present, key, request)})
    assert answer.json["not_after"] == int(world.clock()) + 300


def test_a_certificate_in_tls_renews_itself(ca: Ca, world: World) -> None:
    world.certificate = ca.issue().certificate
    assert world.post(RENEW, {"csr": csr()}).status == 201
    world.certificate = None
    assert refused_by(world, world.post(RENEW, {"csr": csr()})) == "proof"


@pytest.mark.parametrize("header", [{"origin": "https://evil.example.com"}, {"sec-fetch-site": "cross-site"}])
def test_a_page_in_a_browser_renews_nothing_with_the_certificate_of_its_visitor(
    ca: Ca, world: World, header: dict[str, str]
) -> None:
    world.certificate = ca.issue().certificate
    answer = world.post(RENEW, {"csr": csr()}, **header)
    assert answer.status == 403
    assert world.trace(answer).checks[-1].name == "cross_site"
    assert len(world.read(lambda work: work.certificates.latest())) == 1


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"typ": "JWT"}, "type"),
        ({"issuer": "https://elsewhere.example.com"}, "audience"),
        ({"csr": "another request"}, "claims"),
        ({"now": -1000}, "expiry"),
        ({"key": "another key"}, "signature"),
        ({"thumbprint": "A" * 43}, "certificate"),
    ],
)
def test_a_bad_proof_of_a_certificate_is_refused(ca: Ca, world: World, changes: dict[str, Any], check: str) -> None:
    key = new_key()
    present, request = ca.issue(key=key), csr()
    if "now" in changes:
        changes = {"now": world.clock() - 1000}
    if "key" in changes:
        changes = {"key": new_key()}
    sent = {"csr": request, "proof": proof(ca, present, key, request, **changes)}
    assert refused_by(world, world.post(RENEW, sent)) == check


def test_a_proof_is_good_once(ca: Ca, world: World) -> None:
    key = new_key()
    present, request = ca.issue(key=key), csr()
    sent = {"csr": request, "proof": proof(ca, present, key, request)}
    assert world.post(RENEW, sent).status == 201
    assert refused_by(world, world.post(RENEW, sent)) == "jti"


def test_a_sibling_cannot_be_renewed_with_ones_own_certificate(ca: Ca, world: World) -> None:
    """Renewal is for the same identity only, whatever the request asks for."""
    mine = new_key()
    present = ca.issue("server", "mine.example.com", key=mine)
    sibling = ca.issue("server", "sibling.example.com")
    request = csr(None, san(x509.DNSName("sibling.example.com")))
    assert refused_by(world, world.post(RENEW, {"csr": request, "proof": proof(ca, present, mine, request)})) == (
        "identity"
    )
    plain = csr()
    claimed = proof(ca, sibling, mine, plain)  # signed by mine, said to be the sibling's
    assert refused_by(world, world.post(RENEW, {"csr": plain, "proof": claimed})) == "signature"


@pytest.mark.parametrize("state", ["revoked", "expired", "not yet valid", "foreign", "of a disabled client"])
def test_a_certificate_that_is_no_good_renews_nothing(ca: Ca, shop: World, state: str) -> None:
    key = new_key()
    present = ca.issue("client", key=key, client_id="shop", owner="team")
    check = "certificate"
    if state == "revoked":
        shop.write(lambda work: revoke_certificate(work, present.serial, ca.act()))
    elif state == "expired":
        shop.clock.now = present.not_after
    elif state == "not yet valid":
        shop.clock.now = present.not_before - 1
    elif state == "foreign":
        present = replace(present, thumbprint="B" * 43)
    else:
        client = shop.read(lambda work: work.clients.get("shop"))
        shop.write(lambda work: work.clients.replace(replace(client, state="disabled")))
        check = "client"
    request = csr()
    assert refused_by(shop, shop.post(RENEW, {"csr": request, "proof": proof(ca, present, key, request)})) == check


def test_a_certificate_revoked_while_it_is_renewed_is_not_renewed(
    ca: Ca, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_key()
    present, request = ca.issue(key=key), csr()
    sent = {"csr": request, "proof": proof(ca, present, key, request)}
    write, prepare = world.storage.write, issuing.prepare

    async def revoke() -> None:
        async with write() as work:
            await revoke_certificate(work, present.serial, ca.act())

    def after_the_revocation() -> Any:
        monkeypatch.setattr(world.storage, "write", write)
        return _After(revoke, write())

    async def prepared_before(*given: Any) -> Any:
        monkeypatch.setattr(world.storage, "write", after_the_revocation)
        return await prepare(*given)

    monkeypatch.setattr(issuing, "prepare", prepared_before)
    assert refused_by(world, world.post(RENEW, sent)) == "certificate"


class _After:
    """A unit of work that begins after something else was done."""

    def __init__(self, before: Any, inner: Any) -> None:
        self._before, self._inner = before, inner

    async def __aenter__(self) -> Any:
        await self._before()
        return await self._inner.__aenter__()

    async def __aexit__(self, *raised: Any) -> Any:
        return await self._inner.__aexit__(*raised)
