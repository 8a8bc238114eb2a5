"""How old what a feed has told can be: by the reader's own steady clock, whatever was replayed, delayed or forged."""

from __future__ import annotations

from typing import Any

import pytest

from ostiary.errors import Unavailable, VerificationError
from ostiary.protocol import jws
from ostiary.protocol.jwk import SigningKey
from ostiary.protocol.revocation_feed import MAX_LENGTH, Row
from ostiary.resource_server.feed import Feed
from ostiary.resource_server.server_sent_events import Events
from tests.resource_server.feed_server import FeedServer

ISSUER = "https://auth.example.com"


class Reader:
    """A feed, its issuer, and a steady clock that a test moves."""

    def __init__(self) -> None:
        self.key = SigningKey.generate("ES256")
        self.server = FeedServer(ISSUER, self.key)
        self.now = 1000.0
        self.feed = Feed(ISSUER, leeway=10, max_staleness=30, clock=lambda: 2_000_000_000, elapsed=lambda: self.now)
        self.nonce = ""

    def ask(self) -> dict[str, str]:
        form = self.feed.question()
        self.nonce = form["nonce"]
        return form

    def take(self, start: int, end: int, at: int, **members: Any) -> None:
        self.take_signed(self.server.message(start, end, at=at, **members))

    def first(self, start: int, end: int, at: int, **members: Any) -> None:
        self.take(start, end, at, nonce=self.nonce, reader="ost_fr_x", **members)

    def take_signed(self, message: str) -> None:
        self.feed.take(jws.parse(message, max_length=MAX_LENGTH), self.key.verification_key)


@pytest.fixture
def reader() -> Reader:
    return Reader()


def test_nothing_is_known_before_the_first_message(reader: Reader) -> None:
    assert reader.ask().keys() == {"nonce"}
    assert reader.feed.staleness() == float("inf")
    assert reader.feed.watch.good_until < reader.now


def test_an_answer_is_as_old_as_the_question(reader: Reader) -> None:
    reader.ask()
    reader.now += 8
    reader.first(0, 3, at=500_000)
    assert reader.feed.staleness() == 8
    assert reader.feed.watch.good_until == 1030


def test_a_later_message_is_as_old_as_the_issuers_steady_clock_says(reader: Reader) -> None:
    reader.ask()
    reader.first(0, 3, at=500_000)
    reader.now += 25
    reader.take(3, 3, at=505_000)  # looked at 5 s after the first, and held back for 20 s
    assert reader.feed.staleness() == 20


def test_a_message_from_the_future_is_no_younger_than_now(reader: Reader) -> None:
    reader.ask()
    reader.first(0, 3, at=500_000)
    reader.take(3, 3, at=900_000)
    assert reader.feed.staleness() == 0


def test_below_the_head_of_the_log_nothing_is_vouched_for(reader: Reader) -> None:
    reader.ask()
    reader.first(0, 3, at=500_000, head=5)
    assert reader.feed.staleness() == float("inf")
    assert not reader.feed.settled.done()
    reader.take(3, 5, at=500_001)
    assert reader.feed.staleness() < 1
    assert reader.feed.settled.done()


def test_a_second_answer_that_is_delayed_makes_nothing_older(reader: Reader) -> None:
    reader.ask()
    reader.first(0, 3, at=500_000)
    reader.now += 5
    reader.take(3, 3, at=505_000)
    asked = reader.ask()
    assert (asked["after"], asked["installation"]) == ("3", "abcdef")
    reader.now += 1
    reader.first(3, 3, at=7_000, node="node-2")
    assert reader.feed.staleness() == 1


def wrong(reader: Reader) -> dict[str, str]:
    """By what is wrong: a message in the place of the next one, 3 to 4 at 505000."""
    make, rows = reader.server.message, (Row(4, "jti", "x", 2_000_000_100),)
    good: dict[str, Any] = {"at": 505_000, "rows": rows}
    forged = make(3, 4, key=SigningKey.generate("ES256", kid=reader.key.kid), **good)
    head, payload, signature = make(3, 4, **good).split(".")
    return {
        "signature": forged,
        "type": jws.sign(jws.parse(make(3, 4, **good)).payload, reader.key, typ="at+jwt"),
        "issuer": make(3, 4, iss="https://other.example.com", **good),
        "installation": make(3, 4, installation="zzzzzz", **good),
        "a gap": make(4, 5, at=505_000),
        "a repetition": make(2, 3, at=505_000, head=3),
        "another node": make(3, 4, node="node-2", **good),
        "a time before": make(3, 4, at=499_999, rows=rows),
        "an answer to another": make(3, 4, nonce="another", **good),
        "rows out of range": make(3, 4, at=505_000, rows=(Row(5, "jti", "x", 2_000_000_100),)),
        "a payload that was cut": f"{head}.{payload[:-4]}.{signature}",
    }


WRONG = sorted(wrong(Reader()))


@pytest.mark.parametrize("what", WRONG)
def test_what_does_not_follow_is_refused_and_makes_nothing_younger(reader: Reader, what: str) -> None:
    reader.ask()
    reader.first(0, 3, at=500_000)
    reader.now += 20
    with pytest.raises(VerificationError):
        reader.take_signed(wrong(reader)[what])
    assert (reader.feed.staleness(), reader.feed.position, len(reader.feed.revocations)) == (20, 3, 0)
    reader.take(3, 4, at=505_000, rows=(Row(4, "jti", "x", 2_000_000_100),))
    assert (reader.feed.position, len(reader.feed.revocations)) == (4, 1)


def test_an_answer_that_is_replayed_to_a_new_question_is_refused(reader: Reader) -> None:
    reader.ask()
    kept = reader.server.message(0, 3, at=500_000, nonce=reader.nonce)
    reader.take_signed(kept)
    reader.now += 20
    reader.ask()
    with pytest.raises(VerificationError, match="somebody else"):
        reader.take_signed(kept)
    with pytest.raises(VerificationError):
        reader.take(3, 3, at=520_000)  # and one without a nonce does not begin an answer
    assert reader.feed.staleness() == 20


def test_starting_over_asks_for_everything_and_keeps_what_is_known(reader: Reader) -> None:
    reader.ask()
    reader.first(0, 3, at=500_000, rows=(Row(3, "jti", "x", 2_000_000_100),))
    reader.feed.start_over()
    assert reader.ask().keys() == {"nonce", "installation"}
    reader.first(0, 1, at=3, node="node-2", rows=(Row(1, "jti", "y", 2_000_000_100),))
    assert (len(reader.feed.revocations), reader.feed.position) == (2, 1)


def test_what_nobody_follows_vouches_for_nothing(reader: Reader) -> None:
    reader.ask()
    reader.first(0, 3, at=500_000)
    reader.feed.pause()
    assert reader.feed.watch.good_until < reader.now
    assert not reader.feed.settled.done()
    assert reader.ask()["after"] == "3"


def events(*chunks: bytes, longest: int = 100) -> list[bytes]:
    taken = Events(longest)
    return [event for chunk in chunks for event in taken.feed(chunk)]


def test_events_are_found_however_they_are_cut() -> None:
    stream = b": hello\n\nevent: rows\ndata: one\n\nid: 3\r\ndata:two\r\n\r\n\n\ndata: th\ndata: ree\n\n"
    whole = [b"one", b"two", b"th\nree"]
    assert events(stream) == whole
    assert events(*(stream[at : at + 1] for at in range(len(stream)))) == whole
    assert events(stream[:-1]) == whole[:2]


@pytest.mark.parametrize(
    "stream", [b"data: " + b"x" * 200, b"data: " + b"x" * 95 + b"\n" + b"data: xxxxxxxx\n", b"x" * 101]
)
def test_an_event_that_is_too_long_ends_the_answer(stream: bytes) -> None:
    with pytest.raises(Unavailable, match="more than 100 octets"):
        events(stream)
