"""Token Status Lists: the draft's own vectors, and that each defect by itself is refused (standards 77)."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from ostiary.errors import VerificationError
from ostiary.protocol import base64url, status_list
from ostiary.protocol.status_list import StatusList, StatusReference
from tests.protocol.keys import ISSUER, NOW, raw_token, signed, signing_key

URI = "https://auth.example.com/status-lists/one"
EMPTY = bytes(2)


def claims(**changes: Any) -> dict[str, Any]:
    members = {
        "iss": ISSUER,
        "sub": URI,
        "iat": NOW,
        "exp": NOW + 600,
        "ttl": 30,
        "status_list": {"bits": 1, "lst": status_list.pack(EMPTY)},
    }
    return {name: value for name, value in (members | changes).items() if value is not None}


def verified(members: object, typ: str = status_list.TYP, *, signer: int = 0, **changes: Any) -> StatusList:
    token = signed(members, typ, key=signing_key(number=signer))
    given: dict[str, Any] = {"issuer": ISSUER, "uri": URI, "now": NOW} | changes
    return status_list.verify(token, signing_key().verification_key, **given)


def test_the_list_of_one_bit_in_the_draft_is_read_as_the_draft_reads_it() -> None:
    found = verified(claims(status_list={"bits": 1, "lst": "eNrbuRgAAhcBXQ"}))
    assert [found.status(place) for place in range(16)] == [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]


def test_the_list_of_two_bits_in_the_draft_is_read_as_the_draft_reads_it() -> None:
    found = verified(claims(status_list={"bits": 2, "lst": "eNo76fITAAPfAgc"}))
    assert [found.status(place) for place in range(12)] == [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]


def test_what_we_pack_is_what_the_draft_packs() -> None:
    assert status_list.pack(bytes((0xB9, 0xA3))) == "eNrbuRgAAhcBXQ"
    assert status_list.pack(bytes((0xC9, 0x44, 0xF9))) == "eNo76fITAAPfAgc"


@pytest.mark.parametrize(("bits", "statuses"), [(4, [0, 15, 2, 1]), (8, [0, 255, 2, 1])])
def test_wider_statuses_are_read_whole(bits: int, statuses: list[int]) -> None:
    packed = sum(status << (place * bits) for place, status in enumerate(statuses))
    octets = packed.to_bytes(len(statuses) * bits // 8, "little")
    found = verified(claims(status_list={"bits": bits, "lst": status_list.pack(octets)}))
    assert [found.status(place) for place in range(found.size)] == statuses


def test_what_is_built_verifies_with_every_member() -> None:
    payload = status_list.build(
        issuer=ISSUER, uri=URI, octets=EMPTY, iat=NOW, exp=NOW + 600, ttl=30, aggregation_uri="https://a.example/all"
    )
    token = raw_token({"alg": "ES256", "typ": status_list.TYP}, payload, signing_key())
    found = status_list.verify(status_list_jws(token), signing_key().verification_key, issuer=ISSUER, uri=URI, now=NOW)
    assert found == StatusList(URI, 1, EMPTY, NOW, NOW + 600, 30, "https://a.example/all")


def status_list_jws(token: str) -> Any:
    from ostiary.protocol import jws

    return jws.parse(token, max_length=status_list.MAX_TOKEN_LENGTH)


def test_a_list_without_end_and_time_to_live_says_so() -> None:
    found = verified(claims(exp=None, ttl=None))
    assert (found.exp, found.ttl) == (None, None)


# -- each defect by itself ---------------------------------------------------------------------------------------------


def refused(check: str, members: object, typ: str = status_list.TYP, **changes: Any) -> VerificationError:
    verified(claims())
    with pytest.raises(VerificationError) as refusal:
        verified(members, typ, **changes)
    assert refusal.value.check == check
    return refusal.value


def test_a_list_by_another_key_is_refused() -> None:
    refused("signature", claims(), signer=1)


@pytest.mark.parametrize("typ", ["at+jwt", "JWT", "statuslist+cwt", "statuslist"])
def test_a_list_of_another_type_is_refused(typ: str) -> None:
    refused("type", claims(), typ)


def test_the_list_of_another_address_is_refused() -> None:
    refused("subject", claims(sub=URI + "2"))


def test_a_list_without_an_address_is_refused() -> None:
    refused("subject", claims(sub=None))


def test_a_list_that_names_another_issuer_is_refused() -> None:
    refused("issuer", claims(iss="https://other.example"))


def test_an_expired_list_is_refused() -> None:
    refused("expiry", claims(exp=NOW - 11))


def test_a_list_from_the_future_is_refused() -> None:
    refused("issued_at", claims(iat=NOW + 11))


def test_a_list_that_does_not_say_when_it_was_made_is_refused() -> None:
    refused("issued_at", claims(iat=None))


@pytest.mark.parametrize("ttl", [0, -1, "30", True])
def test_a_time_to_live_that_is_no_positive_number_is_refused(ttl: object) -> None:
    refused("status", claims(ttl=ttl))


@pytest.mark.parametrize("bits", [0, 3, 16, -1, "1", 1.0, True, None])
def test_bits_other_than_1_2_4_and_8_are_refused(bits: object) -> None:
    refused("status", claims(status_list={"bits": bits, "lst": status_list.pack(EMPTY)}))


@pytest.mark.parametrize("members", ["text", [], None, {"bits": 1}, {"bits": 1, "lst": 1}])
def test_a_list_without_its_members_is_refused(members: object) -> None:
    refused("status", claims(status_list=members))


def lst(raw: bytes) -> dict[str, Any]:
    return claims(status_list={"bits": 1, "lst": base64url.encode(raw).decode()})


def test_a_truncated_list_is_refused() -> None:
    refused("status", lst(zlib.compress(bytes(range(256)))[:-4]))


def test_a_list_that_is_followed_by_something_is_refused() -> None:
    refused("status", lst(zlib.compress(EMPTY) + b"more"))


def test_a_list_that_is_not_compressed_is_refused() -> None:
    refused("status", lst(b"\xb9\xa3"))


def test_a_list_with_a_broken_checksum_is_refused() -> None:
    packed = bytearray(zlib.compress(bytes(range(256))))
    packed[-1] ^= 1
    refused("status", lst(bytes(packed)))


def test_a_list_outside_the_alphabet_is_refused() -> None:
    refused("format", claims(status_list={"bits": 1, "lst": "eNrbuRgAAhcBXQ=="}))


def test_a_small_text_that_inflates_to_a_large_list_is_refused_without_inflating_it() -> None:
    bomb = zlib.compress(bytes(status_list.MAX_OCTETS + 1), 9)
    assert len(bomb) < 2000
    assert "1048576" in refused("status", lst(bomb)).seen
    assert len(verified(lst(zlib.compress(bytes(status_list.MAX_OCTETS)))).octets) == status_list.MAX_OCTETS


@pytest.mark.parametrize("place", [16, 2**40, -1])
def test_a_place_outside_the_list_is_refused(place: int) -> None:
    with pytest.raises(VerificationError, match="no such place"):
        verified(claims()).status(place)


# -- the claim of a token ----------------------------------------------------------------------------------------------


def test_a_token_without_status_refers_to_none() -> None:
    assert status_list.reference({"sub": "x"}) is None


def test_a_reference_is_what_the_claim_says() -> None:
    made = StatusReference(7, URI)
    assert status_list.reference({"status": made.claim()}) == made
    further = {"status": {"status_list": {"idx": 0, "uri": URI, "more": 1}, "other": {}}}
    assert status_list.reference(further) == StatusReference(0, URI)


@pytest.mark.parametrize(
    "status",
    [
        None,
        "valid",
        {},
        {"other_mechanism": {}},
        {"status_list": None},
        {"status_list": {"idx": 1}},
        {"status_list": {"uri": URI}},
        {"status_list": {"idx": -1, "uri": URI}},
        {"status_list": {"idx": 1.0, "uri": URI}},
        {"status_list": {"idx": True, "uri": URI}},
        {"status_list": {"idx": "1", "uri": URI}},
        {"status_list": {"idx": 1, "uri": ""}},
        {"status_list": {"idx": 1, "uri": 5}},
        {"status_list": {"idx": 2**53 + 1, "uri": URI}},
    ],
)
def test_a_status_that_cannot_be_read_does_not_pass_for_none(status: object) -> None:
    with pytest.raises(VerificationError, match="unusable status"):
        status_list.reference({"status": status})
