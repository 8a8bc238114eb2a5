"""Push (RFC 8935) over real HTTP on loopback: in order, tried again, given up for a stated reason, nobody bothered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ostiary.admin.signal_streams import pause_stream, resume_stream
from ostiary.authorization_server.deliverer import PAUSES
from ostiary.fetching.guarded import GuardedFetcher
from ostiary.revocation import Act, revoke_client, revoke_user
from ostiary.shared_signals.late import LATE, NEVER_VERIFIED, NOT_FETCHED, NOT_TAKEN, LateStreams
from ostiary.shared_signals.push import LEASE, Pusher
from ostiary.user_authentication.accounts import enable_user
from tests.authorization_server.world import World
from tests.client.http_server import Received, Reply, Server
from tests.shared_signals.receiver import PUSH, Receiver, names, only, user_of

SECRET = "Bearer of-the-receiver"


class Endpoint:
    """What a receiver listens at. replies: what it answers, the last one for good."""

    def __init__(self, server: Server) -> None:
        self.url = server.url + "/events"
        self.replies = [Reply(202)]
        self._server = server
        server.routes["/events"] = self._answer

    def _answer(self, _: Received) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def refuse(self, code: str, *then: Reply) -> None:
        body = json.dumps({"err": code, "description": "no"}).encode()
        self.replies = [Reply(400, body, {"Content-Type": "application/json"}), *then]

    @property
    def received(self) -> list[Received]:
        return self._server.received

    @property
    def tokens(self) -> list[str]:
        return [one.body.decode() for one in self.received]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Server() as server:
        yield Endpoint(server)


@pytest.fixture
def receiver(world: World, endpoint: Endpoint) -> Receiver:
    """With a stream that is pushed to ``endpoint``."""
    world.server.settings = world.settings.model_copy(
        update={"fetching": world.settings.fetching.model_copy(update={"allow_http": True})}
    )
    found = Receiver(world)
    found.create(delivery={"method": PUSH, "endpoint_url": endpoint.url, "authorization_header": SECRET})
    user_of(world, "ada", "app")
    return found


def _round(world: World, *networks: str) -> int:
    async def once() -> int:
        fetcher = GuardedFetcher(allow_networks=networks or ("127.0.0.0/8",), allow_http=True)
        return await Pusher(world.server, fetcher).round()

    return world.run(once())


def _late(world: World) -> int:
    return world.run(LateStreams(world.storage, world.clock).round())


def _disable(world: World, user_id: str = "usr_ada") -> None:
    world.write(lambda work: revoke_user(work, user_id, Act("cli", world.clock())))


def _stream(receiver: Receiver) -> Any:
    return receiver.world.read(lambda work: work.signal_streams.get(receiver.stream_id))


def _claims(receiver: Receiver, endpoint: Endpoint) -> list[dict[str, Any]]:
    return [receiver.verified(token) for token in endpoint.tokens]


def test_events_come_in_order_with_the_receivers_own_header(
    world: World, receiver: Receiver, endpoint: Endpoint
) -> None:
    _disable(world)
    assert _round(world) == 2
    assert names(_claims(receiver, endpoint)) == ["verification", "session-revoked", "account-disabled"]
    for one in endpoint.received:
        assert one.headers["content-type"] == "application/secevent+jwt"
        assert one.headers["accept"].startswith("application/json")
        assert one.headers["authorization"] == SECRET
    assert _round(world) == 0
    assert len(endpoint.received) == 3
    assert _stream(receiver).verified_at == int(world.clock())


def test_an_endpoint_that_takes_no_verification_event_is_told_of_nobody(
    world: World, receiver: Receiver, endpoint: Endpoint
) -> None:
    """A receiver that names somebody else's address makes us tell it no more than that a stream exists."""
    _disable(world)
    for reply in (Reply(404), Reply(500), Reply(400, b"?"), Reply(302, b"", {"Location": endpoint.url})):
        endpoint.replies = [reply]
        assert _round(world) == 0
        world.clock.now += PAUSES[-1]
    endpoint.refuse("invalid_request")
    assert _round(world) == 0
    assert names(_claims(receiver, endpoint)) == ["verification"] * 5
    assert _stream(receiver).verified_at is None
    world.clock.now += PAUSES[-1]
    endpoint.replies = [Reply(202)]
    assert _round(world) == 2


def test_another_endpoint_must_prove_itself_anew(world: World, receiver: Receiver, endpoint: Endpoint) -> None:
    _round(world)
    delivery = {"method": PUSH, "endpoint_url": endpoint.url + "?new=1"}
    receiver.call("PATCH", "/ssf/streams", {"stream_id": receiver.stream_id, "delivery": delivery})
    endpoint.replies = [Reply(403)]
    _disable(world)
    assert _round(world) == 0
    assert names(_claims(receiver, endpoint)) == ["verification", "verification"]
    # The header was given for the other place and does not follow.
    assert "authorization" not in endpoint.received[-1].headers


def test_what_fails_is_tried_again_under_the_same_name_and_holds_the_rest_back(
    world: World, receiver: Receiver, endpoint: Endpoint
) -> None:
    _round(world)
    _disable(world)
    endpoint.replies = [Reply(503)]
    for pause in (*PAUSES, PAUSES[-1]):
        before = len(endpoint.received)
        assert _round(world) == 0
        assert _round(world) == 0
        assert len(endpoint.received) == before + 1
        world.clock.now += pause
    endpoint.replies = [Reply(202)]
    assert _round(world) == 2
    told = _claims(receiver, endpoint)[1:]
    assert names(told) == ["session-revoked"] * (len(PAUSES) + 2) + ["account-disabled"]
    assert len({one["jti"] for one in told}) == 2
    assert _stream(receiver).attempts == 0


@pytest.mark.parametrize("code", ["invalid_request", "invalid_issuer", "invalid_audience"])
def test_a_token_that_is_refused_for_good_is_dropped_and_on_record(
    world: World, receiver: Receiver, endpoint: Endpoint, code: str
) -> None:
    _round(world)
    _disable(world)
    endpoint.refuse(code, Reply(202))
    assert _round(world) == 2
    [row] = [row for row in world.audit() if row.tag == "signal:not_taken"]
    assert row.details == {"stream": receiver.stream_id, "err": f"{code}: no"}
    assert row.target == _claims(receiver, endpoint)[1]["jti"]
    assert names(_claims(receiver, endpoint))[1:] == ["session-revoked", "account-disabled"]


@pytest.mark.parametrize("code", ["invalid_key", "authentication_failed", "access_denied", "whatever"])
def test_what_may_be_mended_at_the_receiver_is_tried_again(
    world: World, receiver: Receiver, endpoint: Endpoint, code: str
) -> None:
    _round(world)
    _disable(world)
    endpoint.refuse(code, Reply(202))
    assert _round(world) == 0
    world.clock.now += PAUSES[0]
    assert _round(world) == 2


def test_nothing_is_sent_where_the_fetcher_may_not_go(world: World, receiver: Receiver, endpoint: Endpoint) -> None:
    """attack: a receiver that names an address inside our network."""
    _disable(world)
    assert _round(world, "10.0.0.0/8") == 0
    assert endpoint.received == []
    assert _stream(receiver).attempts == 1


def test_a_paused_stream_is_told_that_and_nothing_else(world: World, receiver: Receiver, endpoint: Endpoint) -> None:
    _round(world)
    world.run(pause_stream(world.storage, receiver.stream_id, "licence", Act("cli", world.clock())))
    _disable(world)
    assert _round(world) == 1
    told = _claims(receiver, endpoint)
    assert only(told[-1]) == ("stream-updated", {"status": "paused", "reason": "licence"})
    assert receiver.post("/ssf/status", status="enabled").status == 403
    world.run(resume_stream(world.storage, receiver.stream_id, Act("cli", world.clock())))
    assert _round(world) == 3
    assert names(_claims(receiver, endpoint))[2:] == ["session-revoked", "account-disabled", "stream-updated"]


def test_a_disabled_client_is_sent_nothing(world: World, receiver: Receiver, endpoint: Endpoint) -> None:
    _disable(world)
    world.write(lambda work: revoke_client(work, "app", Act("cli", world.clock())))
    assert _round(world) == 0
    assert endpoint.received == []


def test_two_processes_do_not_push_the_same_stream(world: World, receiver: Receiver, endpoint: Endpoint) -> None:
    stream = _stream(receiver)
    took = world.write(lambda work: work.signal_streams.take_push(stream, due_at=int(world.clock()) + LEASE))
    assert took == [True]
    assert world.write(lambda work: work.signal_streams.take_push(stream, due_at=1)) == [False]
    _disable(world)
    assert _round(world) == 0
    # Whoever took it has died: another one goes on.
    world.clock.now += LEASE
    assert _round(world) == 2


def test_what_was_taken_at_one_place_verifies_no_other(world: World, receiver: Receiver, endpoint: Endpoint) -> None:
    before = _stream(receiver)
    delivery = {"method": PUSH, "endpoint_url": endpoint.url + "?new=1"}
    receiver.call("PATCH", "/ssf/streams", {"stream_id": receiver.stream_id, "delivery": delivery})
    settled = world.write(
        lambda work: work.signal_streams.settle_push(before, attempts=0, due_at=0, verified_at=int(world.clock()))
    )
    assert settled == [False]
    assert _stream(receiver).verified_at is None


def test_a_stream_that_fails_for_days_is_paused_with_a_reason_and_goes_on_later(
    world: World, receiver: Receiver, endpoint: Endpoint
) -> None:
    _round(world)
    _disable(world)
    endpoint.replies = [Reply(500)]
    assert _late(world) == 0
    world.clock.now += LATE
    assert _late(world) == 1
    assert (_stream(receiver).status, _stream(receiver).reason) == ("paused", NOT_TAKEN)
    [row] = [row for row in world.audit() if row.tag == "signal_stream:paused"]
    assert (row.actor, row.reason) == ("server", NOT_TAKEN)
    assert _late(world) == 0
    receiver.renew()
    assert receiver.post("/ssf/status", status="enabled").status == 200
    assert _late(world) == 0
    endpoint.replies = [Reply(202)]
    assert _round(world) == 3


def test_a_stream_whose_endpoint_never_answers_is_paused(world: World, receiver: Receiver) -> None:
    world.clock.now += LATE
    assert _late(world) == 1
    assert _stream(receiver).reason == NEVER_VERIFIED


def test_a_stream_that_nobody_fetches_is_paused(world: World) -> None:
    receiver = Receiver(world)
    receiver.create()
    user_of(world, "ada", "app")
    world.clock.now += LATE
    assert _late(world) == 0
    _disable(world)
    world.clock.now += LATE
    assert _late(world) == 1
    assert _stream(receiver).reason == NOT_FETCHED


def test_many_streams_are_pushed_to_and_a_broken_one_keeps_none_back(
    world: World, receiver: Receiver, endpoint: Endpoint
) -> None:
    other = Receiver(world, "site")
    other.create(delivery={"method": PUSH, "endpoint_url": "http://127.0.0.1:1/"})
    user_of(world, "bob", "app", "site")
    _disable(world, "usr_bob")
    world.write(lambda work: enable_user(work, "usr_bob", Act("cli", world.clock())))
    assert _round(world) == 3
    assert _stream(other).attempts == 1
