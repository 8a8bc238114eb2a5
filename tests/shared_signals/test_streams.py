"""The management of streams: what a receiver may ask, and nobody else (standards 78)."""

from __future__ import annotations

from typing import Any

import pytest

from ostiary.protocol.event_types import SENT
from tests.authorization_server.world import ISSUER, World
from tests.shared_signals.receiver import POLL, PUSH, Receiver, names, only, user_of


@pytest.fixture
def receiver(world: World) -> Receiver:
    return Receiver(world)


def test_the_transmitter_says_what_it_is(world: World) -> None:
    answer = world.get("/.well-known/ssf-configuration")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {
        "spec_version": "1_0",
        "issuer": ISSUER,
        "jwks_uri": f"{ISSUER}/jwks",
        "delivery_methods_supported": [PUSH, POLL],
        "configuration_endpoint": f"{ISSUER}/ssf/streams",
        "status_endpoint": f"{ISSUER}/ssf/status",
        "add_subject_endpoint": f"{ISSUER}/ssf/subjects/add",
        "remove_subject_endpoint": f"{ISSUER}/ssf/subjects/remove",
        "verification_endpoint": f"{ISSUER}/ssf/verify",
        "critical_subject_members": ["user"],
        "authorization_schemes": [{"spec_urn": "urn:ietf:rfc:6749"}],
        "default_subjects": "ALL",
    }


def test_a_stream_is_made_read_changed_replaced_and_deleted(receiver: Receiver) -> None:
    assert receiver.call("GET", "/ssf/streams").json == []
    made = receiver.create(description="ours", events_requested=[SENT[0], "urn:unknown"])
    assert made == {
        "stream_id": receiver.stream_id,
        "iss": ISSUER,
        "aud": "app",
        "delivery": {"method": POLL, "endpoint_url": f"{ISSUER}/ssf/poll/{receiver.stream_id}"},
        "events_supported": list(SENT),
        "events_requested": [SENT[0], "urn:unknown"],
        "events_delivered": [SENT[0]],
        "min_verification_interval": 30,
        "description": "ours",
    }
    here = f"/ssf/streams?stream_id={receiver.stream_id}"
    assert receiver.call("GET", here).json == made
    assert receiver.call("GET", "/ssf/streams").json == [made]
    patched = receiver.call("PATCH", "/ssf/streams", {"stream_id": receiver.stream_id, "events_requested": [SENT[1]]})
    assert (patched.json["events_delivered"], patched.json["description"]) == ([SENT[1]], "ours")
    # What was read can be sent back.
    replaced = receiver.call("PUT", "/ssf/streams", {"stream_id": receiver.stream_id, "iss": ISSUER, "aud": ["app"]})
    assert (replaced.json["events_requested"], "description" in replaced.json) == (list(SENT), False)
    assert receiver.call("PUT", "/ssf/streams", replaced.json).json == replaced.json
    assert receiver.call("DELETE", here).status == 204
    assert receiver.call("GET", here).status == 404
    tags = [row.tag for row in receiver.world.audit() if row.tag.startswith("signal_stream")]
    assert tags == ["signal_stream:created", *["signal_stream:updated"] * 3, "signal_stream:deleted"]


def test_a_receiver_has_one_stream(receiver: Receiver) -> None:
    receiver.create()
    assert receiver.call("POST", "/ssf/streams", {}).status == 409


@pytest.mark.parametrize(
    ("check", "members"),
    [
        ("delivery", {"delivery": "poll"}),
        ("delivery_method", {"delivery": {"method": "urn:ietf:rfc:1149"}}),
        ("delivery_method", {"delivery": {}}),
        ("endpoint_url", {"delivery": {"method": POLL, "endpoint_url": "https://elsewhere.example/"}}),
        ("endpoint_url", {"delivery": {"method": PUSH}}),
        ("endpoint_url", {"delivery": {"method": PUSH, "endpoint_url": "http://app.example.com/"}}),
        ("endpoint_url", {"delivery": {"method": PUSH, "endpoint_url": "file:///etc/passwd"}}),
        ("endpoint_url", {"delivery": {"method": PUSH, "endpoint_url": "https://a:b@app.example.com/"}}),
        ("events_requested", {"events_requested": "all"}),
        ("events_requested", {"events_requested": [7]}),
        ("events_requested", {"events_requested": ["x" * 501]}),
        ("events_requested", {"events_requested": ["x"] * 51}),
        ("description", {"description": "x" * 501}),
    ],
)
def test_a_stream_that_cannot_be_is_not_made(receiver: Receiver, check: str, members: dict[str, Any]) -> None:
    answer = receiver.call("POST", "/ssf/streams", members)
    assert answer.status == 400
    assert receiver.world.trace(answer).checks[-1].name == check
    assert receiver.call("GET", "/ssf/streams").json == []


@pytest.mark.parametrize("header", ["Bearer x\r\nX-Evil: 1", "Bearer ü", "x" * 2049, "", " Bearer x", 7])
def test_an_authorization_header_that_is_none_is_refused(receiver: Receiver, header: object) -> None:
    """Nobody may write further headers into our requests."""
    delivery = {"method": PUSH, "endpoint_url": "https://app.example.com/", "authorization_header": header}
    assert receiver.call("POST", "/ssf/streams", {"delivery": delivery}).status == 400


def test_the_authorization_header_is_sealed_at_rest_and_told_nobody(receiver: Receiver) -> None:
    secret = "Bearer a-secret-of-the-receiver"
    delivery = {"method": PUSH, "endpoint_url": "https://app.example.com/", "authorization_header": secret}
    made = receiver.create(delivery=delivery)
    assert made["delivery"] == {"method": PUSH, "endpoint_url": "https://app.example.com/"}
    stream = receiver.world.read(lambda work: work.signal_streams.get(receiver.stream_id))
    assert stream.sealed_authorization
    assert b"a-secret" not in stream.sealed_authorization
    assert "a-secret" not in repr(stream)
    # Sending back what was shown keeps it; null takes it away.
    receiver.call("PATCH", "/ssf/streams", made)
    kept = receiver.world.read(lambda work: work.signal_streams.get(receiver.stream_id))
    assert kept.sealed_authorization == stream.sealed_authorization
    receiver.call("PATCH", "/ssf/streams", made | {"delivery": made["delivery"] | {"authorization_header": None}})
    gone = receiver.world.read(lambda work: work.signal_streams.get(receiver.stream_id))
    assert gone.sealed_authorization is None


@pytest.mark.parametrize("name", ["iss", "aud", "events_supported", "events_delivered", "min_verification_interval"])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_what_the_transmitter_says_cannot_be_changed(receiver: Receiver, method: str, name: str) -> None:
    receiver.create()
    answer = receiver.call(method, "/ssf/streams", {"stream_id": receiver.stream_id, name: "mine"})
    assert (answer.status, receiver.world.trace(answer).checks[-1].name) == (400, name)


def test_the_stream_of_another_client_does_not_exist(world: World, receiver: Receiver) -> None:
    receiver.create()
    user_of(world, "ada", "app")
    other = Receiver(world, "site")
    other.stream = receiver.stream
    for answer in (
        other.call("GET", f"/ssf/streams?stream_id={receiver.stream_id}"),
        other.call("DELETE", f"/ssf/streams?stream_id={receiver.stream_id}"),
        other.call("PATCH", "/ssf/streams", {"stream_id": receiver.stream_id}),
        other.call("PUT", "/ssf/streams", {"stream_id": receiver.stream_id}),
        other.call("GET", f"/ssf/status?stream_id={receiver.stream_id}"),
        other.post("/ssf/status", status="disabled"),
        other.post("/ssf/verify"),
        other.post("/ssf/subjects/add", subject={"format": "iss_sub", "iss": ISSUER, "sub": "usr_ada"}),
        other.post("/ssf/subjects/remove", subject={"format": "iss_sub", "iss": ISSUER, "sub": "usr_ada"}),
        other.poll(),
    ):
        assert answer.status == 404, answer.body
        assert b"sets" not in answer.body
    assert receiver.call("GET", f"/ssf/status?stream_id={receiver.stream_id}").json["status"] == "enabled"
    assert other.call("GET", "/ssf/streams").json == []


def test_a_receiver_pauses_resumes_and_disables_its_stream(receiver: Receiver) -> None:
    receiver.create()
    paused = receiver.post("/ssf/status", status="paused", reason="maintenance")
    assert paused.json == {"stream_id": receiver.stream_id, "status": "paused", "reason": "maintenance"}
    receiver.post("/ssf/verify")
    assert receiver.events() == []
    assert receiver.post("/ssf/status", status="enabled").json["status"] == "enabled"
    assert names(receiver.events()) == ["verification"]
    assert receiver.post("/ssf/status", status="disabled").json["status"] == "disabled"
    assert receiver.post("/ssf/status", status="enabled").status == 200
    # What waits in a disabled stream is dropped.
    assert receiver.events() == []


@pytest.mark.parametrize(
    "members", [{}, {"status": "on"}, {"status": ["enabled"]}, {"status": "paused", "reason": "a\nb"}, {"status": None}]
)
def test_a_status_that_is_none_is_refused(receiver: Receiver, members: dict[str, Any]) -> None:
    receiver.create()
    assert receiver.post("/ssf/status", **members).status == 400


def test_a_verification_event_comes_with_its_state_and_not_too_often(receiver: Receiver) -> None:
    receiver.create()
    assert receiver.post("/ssf/verify", state="s-1").status == 204
    again = receiver.post("/ssf/verify", state="s-2")
    assert (again.status, again.headers["retry-after"]) == (429, "30")
    [claims] = receiver.events()
    assert only(claims) == ("verification", {"state": "s-1"})
    assert claims["sub_id"] == {"format": "opaque", "id": receiver.stream_id}
    receiver.world.clock.now += 31
    assert receiver.post("/ssf/verify").status == 204
    assert only(receiver.events()[-1]) == ("verification", {})
    assert receiver.post("/ssf/verify", state=7).status == 400


@pytest.mark.parametrize(
    "subject",
    [
        None,
        "usr_ada",
        {"format": "email", "email": "ada@example.com"},
        {"format": "iss_sub", "iss": "https://other.example", "sub": "usr_ada"},
        {"format": "iss_sub", "iss": ISSUER, "sub": "x" * 256},
        {"format": "shoe_size", "size": "42"},
    ],
)
@pytest.mark.parametrize("path", ["/ssf/subjects/add", "/ssf/subjects/remove"])
def test_a_subject_of_an_unknown_form_is_refused(receiver: Receiver, path: str, subject: object) -> None:
    receiver.create()
    assert receiver.post(path, subject=subject).status == 400


def test_nobody_can_be_probed_for(receiver: Receiver) -> None:
    """SSF 1.0 9.1: a stranger, a user of others and nobody at all are answered alike."""
    user_of(receiver.world, "ada", "app")
    user_of(receiver.world, "eve")
    receiver.create()
    for path in ("/ssf/subjects/add", "/ssf/subjects/remove"):
        answers = [
            receiver.post(path, subject={"format": "iss_sub", "iss": ISSUER, "sub": name})
            for name in ("usr_ada", "usr_eve", "usr_nobody")
        ]
        assert len({(one.status, one.body) for one in answers}) == 1
        assert answers[0].status in (200, 204)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a":1,"a":2}', b"\xff"])
def test_a_body_that_is_no_object_is_refused(receiver: Receiver, body: bytes) -> None:
    assert receiver.call("POST", "/ssf/streams", body).status == 400


def test_a_body_that_is_too_large_is_refused(receiver: Receiver) -> None:
    assert receiver.call("POST", "/ssf/streams", b" " * 70_000).status == 413
