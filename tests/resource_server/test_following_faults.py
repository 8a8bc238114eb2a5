"""What goes wrong between an API and the revocation feed: nothing of it admits a revoked token, or lasts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from ostiary.protocol.jwk import SigningKey
from ostiary.protocol.revocation_feed import Row
from ostiary.resource_server import ResourceServer, subscription
from ostiary.resource_server.feed import RevocationStatus
from tests.resource_server.feed_server import event
from tests.resource_server.issuer_server import IssuerServer, running_issuer
from tests.resource_server.waiting import until
from tests.resource_server.world import DIRECT, World, bearer, failed_check, request


def status(guard: ResourceServer) -> RevocationStatus:
    return next(iter(guard.revocation_status().values()))


def started(world: World, **options: object) -> ResourceServer:
    """A guard that has read the log once; the issuer's steady clock is the world's."""
    world.issuer.feed.at = lambda: int(world.clock.elapsed() * 1000)
    guard = world.following(**options)
    assert guard.check_sync(bearer(world.token()))
    return guard


def test_an_issuer_that_comes_back_is_followed_from_where_it_was_left(world: World) -> None:
    feed = world.issuer.feed
    guard = started(world)
    feed.revoke("jti", "other")
    until(lambda: status(guard).position == 1)
    world.issuer.down = True
    feed.cut()
    until(lambda: status(guard).fault)
    feed.revoke("jti", "jti-1")
    world.issuer.down = False
    until(lambda: status(guard).position == 2)
    assert (feed.questions[-1]["after"], feed.questions[-1]["installation"]) == ("1", "abcdef")
    assert failed_check(world.refusal(guard, bearer(world.token()))[1]) == "revocation"
    assert (status(guard).reconnects > 0, status(guard).following, status(guard).fault) == (True, True, "")


def test_an_issuer_that_is_out_is_trusted_for_max_staleness_and_no_longer(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    guard = started(world)
    world.issuer.down = True
    world.issuer.feed.cut()
    world.clock.now += 29
    assert guard.check_sync(bearer(world.token()))
    world.clock.now += 2
    assert world.refusal(guard, bearer(world.token()))[0].status == 503
    until(lambda: "not taken unasked" in caplog.text)
    world.issuer.down = False
    until(lambda: caplog.text.count("revocations are followed") == 2)
    assert guard.check_sync(bearer(world.token()))
    told = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == 2, told
    assert "not known for 31 s" in told[0]
    assert "revocations are followed" in told[1]


def test_a_request_that_waited_for_keys_is_judged_by_how_old_the_feed_is_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys that are kept will do while the issuer is out; what was known of revocations when it asked will not."""
    world.issuer.max_age = 30
    world.issuer.feed.at = lambda: int(world.clock.elapsed() * 1000)
    guard = started(world)
    asked = bearer(world.token())
    world.clock.now += 20
    world.issuer.feed.beat()
    until(lambda: status(guard).staleness < 1)
    world.clock.now += 11  # the keys are due, and would be asked for by a heartbeat, too

    def silent(path: str, form: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if path.startswith("/.well-known"):
            world.clock.now += 20
        return 500, {}, b"down"

    monkeypatch.setattr(world.issuer, "answer", silent)
    assert world.refusal(guard, asked)[0].status == 503
    assert world.issuer.asked["/.well-known/oauth-authorization-server"] == 2


def test_another_node_with_another_steady_clock_carries_on(world: World) -> None:
    feed = world.issuer.feed
    guard = started(world)
    feed.revoke("jti", "other")
    until(lambda: status(guard).position == 1)
    feed.node, feed.at = "node-2", lambda: 7
    feed.cut()
    until(lambda: len(feed.questions) == 2 and status(guard).following)
    feed.revoke("jti", "jti-1")
    until(lambda: status(guard).position == 2)
    assert failed_check(world.refusal(guard, bearer(world.token()))[1]) == "revocation"


def wrong_messages(issuer: IssuerServer) -> dict[str, bytes]:
    feed, at = issuer.feed, issuer.feed.at() + 60_000
    good = feed.message(1, 1, at=at)
    return {
        "forged": event(feed.message(1, 1, at=at, key=SigningKey.generate("ES256", kid=issuer.key.kid))),
        "of an unknown key": event(feed.message(1, 1, at=at, key=SigningKey.generate("ES256"))),
        "reordered": event(feed.message(2, 3, at=at)),
        "replayed": event(feed.message(0, 1, at=at)),
        "of a node's past": event(feed.message(1, 1, at=0)),
        "of another installation": event(feed.message(1, 1, at=at, installation="zzzzzz")),
        "truncated": event(good[: len(good) // 2]),
        "not even text": b"data: \xff\xfe\n\n",
    }


@pytest.mark.parametrize("what", sorted(wrong_messages(IssuerServer(1))))
def test_a_wrong_message_makes_nothing_look_younger(world: World, what: str) -> None:
    """attack 26: past max_staleness the API refuses, whatever was sent meanwhile; then it recovers."""
    feed = world.issuer.feed
    feed.revoke("jti", "other")
    guard = started(world)
    world.clock.now += 31
    world.issuer.down = True
    feed.send(wrong_messages(world.issuer)[what])
    until(lambda: not status(guard).following)
    assert status(guard).staleness > 30
    assert world.refusal(guard, bearer(world.token()))[0].status == 503
    world.issuer.down = False
    until(lambda: status(guard).following)
    assert guard.check_sync(bearer(world.token()))


def test_a_message_that_is_held_back_is_as_old_as_it_is(world: World) -> None:
    feed = world.issuer.feed
    guard = started(world)
    world.clock.now += 20
    held = event(feed.message(0, 0, at=feed.at()))
    world.clock.now += 29
    feed.send(held)
    until(lambda: status(guard).staleness == 29)
    assert guard.check_sync(bearer(world.token()))
    world.clock.now += 2
    assert world.refusal(guard, bearer(world.token()))[0].status == 503


def test_a_database_of_another_past_is_read_anew_and_what_was_known_is_kept(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    feed = world.issuer.feed
    feed.revoke("jti", "other")
    feed.revoke("jti", "jti-1")
    guard = world.following()
    assert failed_check(world.refusal(guard, bearer(world.token()))[1]) == "revocation"
    feed.rows, feed.position, feed.lost = [Row(1, "jti", "jti-9", int(world.clock.now) + 600)], 1, True
    feed.cut()
    until(lambda: status(guard).position == 1 and status(guard).following)
    assert "does not know position 2" in caplog.text
    assert "after" not in feed.questions[-1]
    assert failed_check(world.refusal(guard, bearer(world.token()))[1]) == "revocation"
    assert failed_check(world.refusal(guard, bearer(world.token(jti="jti-9")))[1]) == "revocation"
    assert guard.check_sync(bearer(world.token(jti="jti-2")))


def test_an_issuer_without_a_feed_refuses_and_the_log_says_once_what_to_choose(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.issuer.feed.published = False
    guard = world.following()
    for _ in range(2):
        assert world.refusal(guard, bearer(world.token()))[0].status == 503
    until(lambda: status(guard).reconnects > 2)
    told = [record.message for record in caplog.records if "publishes no revocation feed" in record.message]
    assert len(told) == 1
    assert 'revocation="introspect"' in told[0]


def test_a_new_signing_key_of_the_issuer_carries_on_in_mid_stream(world: World) -> None:
    feed = world.issuer.feed
    guard = started(world)
    feed.key = SigningKey.generate("ES256")
    world.issuer.jwks.append(dict(feed.key.verification_key.public_jwk()))
    feed.revoke("jti", "jti-1")
    until(lambda: status(guard).position == 1)
    assert (status(guard).reconnects, len(feed.questions)) == (0, 1)
    assert failed_check(world.refusal(guard, bearer(world.token()))[1]) == "revocation"


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ((200, {"Content-Type": "text/html"}, b"<html>"), "answers 200 text/html"),
        ((403, {}, b'{"error":"access_denied","error_description":"no such API"}'), "403  access_denied no such API"),
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), "answers 302"),
        ((409, {}, b'{"error":"other"}'), "answers 409"),
        ((200, {"Content-Type": "text/event-stream", "Content-Encoding": "gzip"}, b"x"), "compressed, unasked"),
        ((200, {"Content-Type": "text/event-stream"}, b""), "the issuer ended its answer"),
        ((200, {"Content-Type": "text/event-stream"}, b"data: " + b"x" * 5_000_000), "octets"),
    ],
)
def test_an_answer_that_is_no_feed_is_asked_for_again(
    world: World, answer: tuple[int, dict[str, str], bytes], fault: str
) -> None:
    guard = started(world)
    world.issuer.raw["/revocations"] = answer
    world.issuer.feed.cut()
    until(lambda: fault in status(guard).fault)
    del world.issuer.raw["/revocations"]
    until(lambda: status(guard).following)


def test_what_was_applied_is_said_again_when_it_was_lost(world: World) -> None:
    feed = world.issuer.feed
    feed.refused_acknowledgements = 2
    guard = started(world)
    feed.revoke("jti", "other")
    feed.revoke("jti", "jti-1")
    until(lambda: 2 in feed.acknowledged.values())
    assert failed_check(world.refusal(guard, bearer(world.token()))[1]) == "revocation"


def test_an_acknowledgement_that_hangs_does_not_hold_the_stream_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = world.issuer.feed
    hangs, asked = threading.Event(), threading.Event()

    def applied(_: dict[str, str]) -> int:
        asked.set()
        hangs.wait(30)
        return 200

    monkeypatch.setattr(feed, "applied", applied)
    guard = started(world)
    asked.wait(30)
    feed.revoke("jti", "jti-1")
    until(lambda: status(guard).position == 1)
    assert failed_check(world.refusal(guard, bearer(world.token()))[1]) == "revocation"
    hangs.set()


@pytest.mark.parametrize("kind", ["client", "client_key", "installation"])
def test_the_key_of_a_client_that_was_ended_is_forgotten(world: World, kind: str) -> None:
    """attack 28: not after the time for which keys are kept, but at once."""
    guard = world.following(direct=True)
    key, other = world.client_key(), world.client_key("other-client")
    guard.check_sync(request((DIRECT, world.direct(key))))
    guard.check_sync(request((DIRECT, world.direct(other, client_id="other-client"))))
    until(lambda: status(guard).following)
    world.issuer.client_keys.clear()
    values = {"client": "orders-client", "client_key": key.verification_key.thumbprint, "installation": ""}
    world.issuer.feed.revoke(kind, values[kind])  # type: ignore[arg-type]
    until(lambda: status(guard).position == 1)
    again = request((DIRECT, world.direct(key, jti="again")))
    assert failed_check(world.refusal(guard, again)[1]) == "key"
    unconcerned = request((DIRECT, world.direct(other, client_id="other-client", jti="again")))
    if kind != "installation":
        assert guard.check_sync(unconcerned)


def test_a_reference_token_that_was_ended_is_refused_though_its_answer_is_kept(world: World) -> None:
    guard = started(world)
    token = world.issuer.reference(**world.claims(jti="reference-1"))
    assert guard.check_sync(bearer(token))
    world.issuer.feed.revoke("jti", "reference-1")
    until(lambda: status(guard).position == 1)
    assert failed_check(world.refusal(guard, bearer(token))[1]) == "revocation"
    assert world.issuer.asked["/introspect"] == 1


def test_a_clock_that_is_set_forward_and_back_brings_no_token_back(world: World) -> None:
    guard = started(world)
    world.issuer.feed.revoke("jti", "jti-1", life=300)
    until(lambda: status(guard).position == 1)
    for by in (86_400, -86_400):
        world.clock.set(by)
        world.issuer.feed.beat()
        world.issuer.feed.revoke("jti", f"other-{by}")
        until(lambda: status(guard).position == world.issuer.feed.position)
    assert failed_check(world.refusal(guard, bearer(world.token()))[1]) == "revocation"


def test_rows_whose_time_is_over_leave_the_memory(world: World) -> None:
    feed = world.issuer.feed
    guard = started(world)
    for number in range(50):
        feed.revoke("jti", f"other-{number}", life=300)
    until(lambda: status(guard).rows == 50)
    world.clock.now += 1200
    feed.beat()
    until(lambda: status(guard).rows == 0)


def test_each_issuer_has_a_feed_of_its_own(world: World, second: IssuerServer) -> None:
    from ostiary.resource_server import IssuerConfig

    other = IssuerConfig(second.issuer, credential=second.credential(), revocation="feed")
    guard = started(world, issuer=[world.issuer.issuer, other])
    theirs = world.token(iss=second.issuer, key=second.key)
    assert guard.check_sync(bearer(theirs))
    second.feed.revoke("jti", "jti-1")
    until(lambda: guard.revocation_status()[second.issuer].position == 1)
    assert failed_check(world.refusal(guard, bearer(theirs))[1]) == "revocation"
    assert guard.check_sync(bearer(world.token()))


def test_an_issuer_may_be_treated_otherwise(world: World, second: IssuerServer) -> None:
    from ostiary.resource_server import IssuerConfig

    other = IssuerConfig(second.issuer, revocation="until_expiry")
    guard = started(world, issuer=[world.issuer.issuer, other])
    assert guard.check_sync(bearer(world.token(iss=second.issuer, key=second.key)))
    assert second.feed.questions == []
    assert guard.revocation_status()[second.issuer].choice == "until_expiry"


def test_introspection_of_every_token_may_be_chosen(world: World) -> None:
    guard = world.guard(identity=True, revocation="introspect")
    token = world.token()
    world.issuer.answers[token] = {"active": True}
    for _ in range(3):
        assert guard.check_sync(bearer(token))
    assert (world.issuer.asked["/introspect"], world.issuer.feed.questions) == (1, [])
    world.issuer.answers.clear()
    world.clock.now += 5.1
    assert failed_check(world.refusal(guard, bearer(token))[1]) == "introspection"


def test_closing_ends_the_thread_and_the_next_request_begins_another(world: World) -> None:
    guard = started(world)
    guard.close()
    assert "ostiary-revocations" not in [thread.name for thread in threading.enumerate()]
    world.issuer.feed.revoke("jti", "jti-1")
    assert failed_check(world.refusal(guard, bearer(world.token()))[1]) == "revocation"
    assert world.issuer.feed.questions[-1].get("installation") == "abcdef"


@pytest.fixture
def second() -> Iterator[IssuerServer]:
    with running_issuer() as server:
        yield server


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ostiary.resource_server")


def test_an_issuer_that_falls_silent_is_left_for_another_connection(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that hangs, or a network that swallows everything, ends no connection by itself."""
    monkeypatch.setattr(subscription, "HEARTBEAT", 0.02)
    guard = started(world)
    until(lambda: len(world.issuer.feed.questions) >= 3)
    world.issuer.feed.revoke("jti", "jti-1")
    until(lambda: status(guard).position == 1)
    assert failed_check(world.refusal(guard, bearer(world.token()))[1]) == "revocation"
    assert status(guard).reconnects >= 2
