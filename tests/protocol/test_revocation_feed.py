"""Messages of the revocation feed: what is forged, reordered, replayed, truncated or somebody else's is refused."""

from __future__ import annotations

import msgspec
import pytest

from ostiary.errors import VerificationError
from ostiary.protocol import jws, revocation_feed
from ostiary.protocol.revocation_feed import Known, Message, Row
from tests.protocol.keys import ISSUER, NOW, signing_key

MESSAGE = Message(
    iss=ISSUER,
    installation="AbCdE1",
    node="node-1",
    at=5_000,
    iat=NOW,
    start=10,
    end=14,
    head=14,
    rows=(Row(12, "client", "shop", NOW + 86_400), Row(13, "jti", "t-1", NOW + 300), Row(14, "jti", "t-2", NOW + 200)),
)
KNOWN = Known("AbCdE1", 10, "node-1", 4_000)


def taken(message: Message, typ: str = revocation_feed.TYP, key: int = 0) -> Message:
    """The message after it was signed by key ``key``, and verified by key 0."""
    text = jws.sign(revocation_feed.build(message), signing_key(number=key), typ=typ)
    return revocation_feed.verify(jws.parse(text), signing_key().verification_key, issuer=ISSUER)


def changed(**members: object) -> Message:
    return msgspec.structs.replace(MESSAGE, **members)


def refusal(message: Message, known: Known = KNOWN, *, nonce: str | None = None) -> str:
    with pytest.raises(VerificationError) as refused:
        revocation_feed.check_progress(known, message, nonce=nonce)
    return refused.value.check


def test_a_message_comes_out_as_it_went_in() -> None:
    assert taken(MESSAGE) == MESSAGE


def test_rows_come_out_in_the_order_of_positions_whatever_their_kinds() -> None:
    assert [row.position for row in taken(MESSAGE).rows] == [12, 13, 14]


def test_a_forged_message_is_refused() -> None:
    with pytest.raises(VerificationError) as refused:
        taken(MESSAGE, key=1)
    assert refused.value.check == "signature"


def test_another_jwt_of_the_issuer_is_no_message() -> None:
    with pytest.raises(VerificationError) as refused:
        taken(MESSAGE, typ="at+jwt")
    assert refused.value.check == "type"


def test_a_message_of_another_issuer_is_refused() -> None:
    with pytest.raises(VerificationError) as refused:
        taken(changed(iss="https://other.example.com"))
    assert refused.value.check == "issuer"


@pytest.mark.parametrize(
    "members",
    [{"start": 12}, {"end": 13}, {"head": 13}, {"start": 15, "rows": ()}],
    ids=["a row below", "a row above", "beyond the head", "an end before the start"],
)
def test_rows_outside_of_their_range_are_refused(members: dict[str, object]) -> None:
    with pytest.raises(VerificationError) as refused:
        taken(changed(**members))
    assert refused.value.check == "revocation_range"


@pytest.mark.parametrize("payload", [b"{}", b"[]", b"\xff", b'{"iss":1}', b'{"rows":{"cookie":[["a",1,1]]}}'])
def test_what_is_no_message_is_malformed(payload: bytes) -> None:
    text = jws.sign(payload, signing_key(), typ=revocation_feed.TYP)
    with pytest.raises(VerificationError) as refused:
        revocation_feed.verify(jws.parse(text), signing_key().verification_key, issuer=ISSUER)
    assert refused.value.check == "format"


def test_a_message_that_follows_brings_its_reader_forward() -> None:
    assert revocation_feed.check_progress(KNOWN, MESSAGE, nonce=None) == Known("AbCdE1", 14, "node-1", 5_000)


def test_a_first_message_is_the_answer_to_the_readers_own_question_whichever_node_gives_it() -> None:
    answer = changed(nonce="n-1", node="node-2", at=1)
    assert revocation_feed.check_progress(KNOWN, answer, nonce="n-1") == Known("AbCdE1", 14, "node-2", 1)


def test_a_replayed_first_message_is_refused() -> None:
    assert refusal(changed(nonce="n-0"), nonce="n-1") == "nonce"


def test_a_first_message_in_the_middle_of_an_answer_is_refused() -> None:
    assert refusal(changed(nonce="n-0")) == "nonce"


def test_a_message_of_another_installation_is_refused() -> None:
    assert refusal(changed(installation="ZZZZZZ")) == "installation"


def test_a_message_after_one_that_was_lost_is_refused() -> None:
    assert refusal(changed(start=11)) == "revocation_range"


def test_a_message_that_was_taken_before_is_refused() -> None:
    assert refusal(MESSAGE, Known("AbCdE1", 14, "node-1", 5_000)) == "revocation_range"


def test_a_replayed_heartbeat_is_refused() -> None:
    """It brings no rows, so that its range fits: only the steady clock of its node tells that it is old."""
    heartbeat = changed(start=10, end=10, head=10, rows=(), at=3_999)
    assert refusal(heartbeat) == "feed_progress"


def test_a_message_of_another_node_in_the_middle_of_an_answer_is_refused() -> None:
    assert refusal(changed(node="node-2")) == "feed_progress"
