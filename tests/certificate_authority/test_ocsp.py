"""The OCSP responder: every status, every refusal, nonces, and what caches may keep. RFC 6960, RFC 9654, RFC 5019."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from ostiary.certificate_authority import founding, subject_keys
from ostiary.errors import Unavailable
from ostiary.protocol import algorithms
from ostiary.revocation import revoke_certificate
from tests.authorization_server.world import World
from tests.certificate_authority.asking import GOOD, REVOKED, UNKNOWN, ask, post, request
from tests.certificate_authority.authority import Ca, certificate_authority

MALFORMED = ocsp.OCSPResponseStatus.MALFORMED_REQUEST
UNAUTHORIZED = ocsp.OCSPResponseStatus.UNAUTHORIZED
SUCCESSFUL = ocsp.OCSPResponseStatus.SUCCESSFUL
DAY = 86_400


def path(document: bytes) -> str:
    return "/ca/ocsp/" + base64.b64encode(document).decode()


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256()], ids=["sha1", "sha256"])  # noqa: S303
def test_a_good_certificate_is_good(ca: Ca, world: World, algorithm: Any) -> None:
    certificate = ca.issue()
    answer = ask(ca, request(ca, certificate, algorithm=algorithm))
    assert (answer.certificate_status, f"{answer.serial_number:x}") == (GOOD, certificate.serial)
    assert answer.hash_algorithm.name == algorithm.name
    assert int(answer.this_update_utc.timestamp()) == int(world.clock())
    assert answer.next_update_utc is not None
    assert (answer.next_update_utc - answer.this_update_utc).total_seconds() == 600


@pytest.mark.parametrize("alg", ["ES256", "ES384", "EdDSA", "RS256"])
def test_an_answer_is_signed_by_the_authority_that_issued_and_names_its_key(world: World, alg: str) -> None:
    ca = certificate_authority(world, alg)
    answer, issuer = ask(ca, request(ca, ca.issue())), ca.authorities.issuing()
    algorithms_of = {"ES256": hashes.SHA256, "ES384": hashes.SHA384, "RS256": hashes.SHA256}
    signed_by = answer.signature_hash_algorithm
    assert signed_by is None if alg == "EdDSA" else isinstance(signed_by, algorithms_of[alg])
    key = subject_keys.checked(issuer.certificate.public_key())
    # "KeyHash ::= OCTET STRING -- SHA-1 hash of responder's public key" RFC 6960 4.2.1
    assert answer.responder_key_hash == hashlib.sha1(subject_keys.bit_string(key)).digest()  # noqa: S324
    assert answer.responder_name is None
    assert answer.certificates == []


def test_a_revocation_shows_in_the_next_answer_with_time_and_reason(ca: Ca, world: World) -> None:
    certificate = ca.issue()
    document = request(ca, certificate)
    assert ask(ca, document).certificate_status == GOOD
    act = ca.act()
    world.write(lambda work: revoke_certificate(work, certificate.serial, act, "keyCompromise"))
    world.clock.now += 30
    answer = ask(ca, document)
    assert (answer.certificate_status, answer.revocation_reason) == (REVOKED, x509.ReasonFlags.key_compromise)
    assert answer.revocation_time_utc is not None
    assert int(answer.revocation_time_utc.timestamp()) == int(act.now)


def test_no_reason_is_told_where_none_was_given(ca: Ca, world: World) -> None:
    certificate, act = ca.issue(), ca.act()
    world.write(lambda work: revoke_certificate(work, certificate.serial, act))
    answer = ask(ca, request(ca, certificate))
    assert (answer.certificate_status, answer.revocation_reason) == (REVOKED, None)


def test_a_number_that_was_never_given_is_unknown(ca: Ca) -> None:
    answer = ask(ca, request(ca, ca.prepare().record))
    assert answer.certificate_status == UNKNOWN


def test_another_authoritys_certificate_is_unknown(ca: Ca) -> None:
    certificate = ca.issue()
    ca.add_issuing()
    issuer = ca.authorities.issuing().certificate
    key = subject_keys.bit_string(subject_keys.checked(issuer.public_key()))
    name_hash, key_hash = hashlib.sha256(issuer.subject.public_bytes()).digest(), hashlib.sha256(key).digest()
    assert ask(ca, by_hashes(name_hash, key_hash, int(certificate.serial, 16))).certificate_status == UNKNOWN


def test_a_retired_authority_still_answers(ca: Ca) -> None:
    certificate, issuer = ca.issue(), ca.authorities.issuing().certificate
    ca.add_issuing()
    assert ask(ca, request(ca, certificate, issuer=issuer)).certificate_status == GOOD


def test_an_expired_certificate_keeps_its_status(ca: Ca, world: World) -> None:
    certificate = ca.issue()
    world.clock.now += 8 * DAY
    assert ask(ca, request(ca, certificate)).certificate_status == GOOD


def test_what_a_revoked_authority_issued_is_revoked(ca: Ca, world: World) -> None:
    certificate, issuer = ca.issue(), ca.authorities.issuing()
    world.run(ca.life().revoke(ca.root, issuer.record.authority_id, ca.act()))
    answer = ask(ca, request(ca, certificate, issuer=issuer.certificate))
    assert (answer.certificate_status, answer.revocation_reason) == (REVOKED, x509.ReasonFlags.ca_compromise)


def test_so_is_what_it_issued_in_the_moment_of_its_revocation(ca: Ca, world: World) -> None:
    certificate, issuer = ca.issue(), ca.authorities.issuing()
    # Its row was not there when those of the others were revoked.
    world.write(lambda work: work.authorities.replace(replace(issuer.record, state="revoked")))
    answer = ask(ca, request(ca, certificate, issuer=issuer.certificate))
    assert (answer.certificate_status, answer.revocation_reason) == (REVOKED, x509.ReasonFlags.ca_compromise)


def test_for_a_foreign_issuer_the_responder_has_no_authority(ca: Ca, world: World) -> None:
    other = founding.new_root("Other", algorithms.generate("ES256"), "ES256", world.clock())
    assert ask(ca, request(ca, ca.issue(), issuer=other.certificate)).response_status == UNAUTHORIZED


def test_the_offline_root_answers_by_its_list_alone(ca: Ca) -> None:
    issuing = ca.authorities.issuing().certificate
    assert ask(ca, request(ca, issuing, issuer=ca.root.certificate)).response_status == UNAUTHORIZED


def test_the_name_alone_does_not_make_an_issuer_ours(ca: Ca) -> None:
    """The same name with another key."""
    ours = ca.authorities.issuing().certificate
    name, key = ours.subject.public_bytes(), b"another key"
    document = by_hashes(hashlib.sha256(name).digest(), hashlib.sha256(key).digest())
    assert ask(ca, document).response_status == UNAUTHORIZED


def test_the_key_alone_does_not_make_an_issuer_ours(ca: Ca) -> None:
    key = subject_keys.bit_string(subject_keys.checked(ca.authorities.issuing().certificate.public_key()))
    document = by_hashes(hashlib.sha256(b"another name").digest(), hashlib.sha256(key).digest())
    assert ask(ca, document).response_status == UNAUTHORIZED


def test_an_issuer_named_by_another_hash_is_not_looked_for(ca: Ca) -> None:
    assert ask(ca, request(ca, ca.issue(), algorithm=hashes.SHA512())).response_status == UNAUTHORIZED


def test_an_authority_that_has_expired_answers_no_more(ca: Ca, world: World) -> None:
    document = request(ca, ca.issue())
    world.clock.now = float(ca.authorities.issuing().record.not_after)
    assert ask(ca, document).response_status == UNAUTHORIZED


def by_hashes(name: bytes, key: bytes, serial: int = 7) -> bytes:
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name, key, serial, hashes.SHA256())
    return builder.build().public_bytes(Encoding.DER)


@pytest.mark.parametrize("length", [1, 16, 32, 128])
def test_a_nonce_comes_back(ca: Ca, length: int) -> None:
    nonce = bytes(range(length))
    answer = ask(ca, request(ca, ca.issue(), extension=x509.OCSPNonce(nonce)))
    assert answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == nonce


def test_without_a_nonce_there_is_none_in_the_answer(ca: Ca) -> None:
    assert not list(ask(ca, request(ca, ca.issue())).extensions)


@pytest.mark.parametrize("length", [0, 129])
def test_a_nonce_of_no_or_too_many_octets_is_malformed(ca: Ca, length: int) -> None:
    """RFC 9654 2.1"""
    document = request(ca, ca.issue(), extension=x509.OCSPNonce(b"n" * length))
    assert ask(ca, document).response_status == MALFORMED


@pytest.mark.parametrize(("critical", "status"), [(True, MALFORMED), (False, SUCCESSFUL)])
def test_an_unknown_extension_is_ignored_unless_it_is_critical(ca: Ca, critical: bool, status: Any) -> None:
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    assert ask(ca, request(ca, ca.issue(), extension=extension, critical=critical)).response_status == status


@pytest.mark.parametrize(
    "document", [b"", b"\x30\x00", b"GET /", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"\x00" * 20_000]
)
def test_rubbish_is_malformed(ca: Ca, document: bytes) -> None:
    assert ask(ca, document).response_status == MALFORMED


def test_a_request_cut_anywhere_is_malformed(ca: Ca) -> None:
    document = request(ca, ca.issue())
    for length in range(len(document)):
        assert ask(ca, document[:length]).response_status == MALFORMED


def test_a_request_of_more_than_one_certificate_is_malformed(ca: Ca) -> None:
    """RFC 5019 2.1.1: exactly one."""
    one = request(ca, ca.issue())
    # OCSPRequest { TBSRequest { requestList { Request } } }, each with a length of one octet.
    assert (one[0], one[2], one[4]) == (0x30, 0x30, 0x30)
    assert len(one) == one[1] + 2 < 128
    single = one[6:]
    requests = sequence(single + single)
    assert ask(ca, sequence(sequence(requests))).response_status == MALFORMED


def sequence(content: bytes) -> bytes:
    length = len(content)
    return b"\x30" + (bytes([length]) if length < 128 else bytes([0x81, length])) + content


@pytest.mark.parametrize("serial", [0, 1 << 160])
def test_a_number_that_no_certificate_can_have_is_malformed(ca: Ca, serial: int) -> None:
    document = request(ca, ca.issue())
    at = document.rindex(b"\x02\x10")  # the serial number of 16 octets stands last
    number = serial.to_bytes(max(1, serial.bit_length() // 8 + 1), "big")
    inner = document[8:at] + b"\x02" + bytes([len(number)]) + number
    assert ask(ca, sequence(sequence(sequence(sequence(sequence(inner[2:])))))).response_status == MALFORMED


def test_without_its_database_it_asks_to_come_again(ca: Ca, monkeypatch: pytest.MonkeyPatch) -> None:
    document = request(ca, ca.issue())

    def gone() -> None:
        raise Unavailable("storage", "gone")

    monkeypatch.setattr(ca.world.server.storage, "read", gone)
    assert ask(ca, document).response_status == ocsp.OCSPResponseStatus.TRY_LATER


def test_by_get_caches_may_keep_the_answer_for_half_of_its_life(ca: Ca, world: World) -> None:
    """RFC 5019 6.2"""
    answer = world.get(path(request(ca, ca.issue())))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/ocsp-response")
    assert ocsp.load_der_ocsp_response(answer.body).certificate_status == GOOD
    assert answer.headers["cache-control"] == "max-age=300, public, no-transform, must-revalidate"
    assert answer.headers["last-modified"] == "Fri, 15 Jan 2027 08:00:00 GMT"
    assert answer.headers["expires"] == "Fri, 15 Jan 2027 08:10:00 GMT"
    assert answer.headers["etag"]


@pytest.mark.parametrize("form", ["plain", "url", "unpadded"])
def test_by_get_every_form_of_base64_is_understood(ca: Ca, world: World, form: str) -> None:
    found = set()
    # Requests whose text has + and /, which differ between the forms.
    for number in range(40):
        text = path(request(ca, ca.issue(), extension=x509.OCSPNonce(b"\xfb" * (1 + number))))[9:]
        found |= set("+/=") & set(text)
        text = {"plain": text, "url": text.replace("+", "-").replace("/", "_"), "unpadded": text.rstrip("=")}[form]
        assert ocsp.load_der_ocsp_response(world.get("/ca/ocsp/" + text).body).response_status == SUCCESSFUL
        if found == set("+/="):
            return
    raise AssertionError(f"only {found} came up")


def test_by_get_with_a_nonce_nobody_may_keep_the_answer(ca: Ca, world: World) -> None:
    answer = world.get(path(request(ca, ca.issue(), extension=x509.OCSPNonce(b"once"))))
    assert answer.headers["cache-control"] == "no-store"


def test_by_post_nobody_may_keep_the_answer(ca: Ca) -> None:
    assert post(ca, request(ca, ca.issue())).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("text", ["", "%", "AAAA", "ÿ", "a b", "=", "MA"])
def test_by_get_rubbish_is_malformed_and_not_kept(ca: Ca, world: World, text: str) -> None:
    answer = world.get("/ca/ocsp/" + text)
    assert ocsp.load_der_ocsp_response(answer.body).response_status == MALFORMED
    assert answer.headers["cache-control"] == "no-store"


def test_without_a_ca_there_is_no_responder(world: World) -> None:
    for answer in (world.post("/ca/ocsp", b""), world.get("/ca/ocsp/MAA=")):
        assert answer.status == 404
        assert answer.json["error_description"] == "there is no certificate authority here"


def test_nothing_is_written_for_whoever_asks(ca: Ca, world: World) -> None:
    document, before = request(ca, ca.issue()), len(world.audit())
    ask(ca, document)
    ask(ca, b"rubbish")
    assert len(world.audit()) == before
