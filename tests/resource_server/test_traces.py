"""What becomes of a refusal: its trace, in memory, in a file, and at the issuer; never a credential in it."""

from __future__ import annotations

import json
import threading

import pytest

from ostiary.resource_server.trace_upload import TraceUpload
from ostiary.trace import TraceRecord, new_trace_id
from tests.resource_server.world import World, bearer, request


def upload(world: World, **options: float) -> TraceUpload:
    guard = world.guard(identity=True)
    return TraceUpload(guard.sources, guard.http, world.clock, **{"interval": 0.01, **options})  # type: ignore[arg-type]


def record(number: int = 0) -> TraceRecord:
    return TraceRecord(new_trace_id(), float(number), "api", "refused", "audience mismatch")


def test_traces_reach_the_issuer_under_the_apis_own_name(world: World) -> None:
    guard = world.guard(identity=True, traces=None)
    refused = world_refusal(guard.check_sync, world)
    guard.close()
    assert [trace["trace_id"] for trace in world.issuer.traces] == [refused]
    assert world.issuer.forms[-1]["client_assertion_type"].endswith("jwt-bearer")


def world_refusal(check: object, world: World) -> str:
    from ostiary.resource_server import Refused

    try:
        check(bearer(world.token(aud="https://other.example.com")))  # type: ignore[operator]
    except Refused as refused:
        return refused.trace_id
    raise AssertionError("admitted")


def test_a_burst_travels_in_batches(world: World) -> None:
    sink = upload(world, interval=0.2)
    for number in range(250):
        sink.record(record(number))
    sink.close()
    assert [trace["at"] for trace in world.issuer.traces] == [float(number) for number in range(250)]
    assert 3 <= world.issuer.asked["/traces"] <= 6
    assert sink.dropped == 0


def test_a_full_queue_drops_and_counts_and_never_waits(world: World) -> None:
    sink = upload(world, queue=10)
    # The issuer answers nobody until further down: a sink that waited for it would never come so far.
    world.issuer.hold.clear()
    for number in range(100):
        sink.record(record(number))
    assert sink.dropped >= 80
    world.issuer.hold.set()
    sink.close()
    assert len(world.issuer.traces) + sink.dropped == 100


def test_an_application_that_starts_again_sends_its_traces_again(world: World) -> None:
    sink = upload(world)
    for number in range(2):
        sink.record(record(number))
        sink.close()
    assert [trace["at"] for trace in world.issuer.traces] == [0.0, 1.0]
    assert sink.dropped == 0


def test_where_no_thread_is_to_be_had_a_trace_is_lost_and_no_request(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    sink = upload(world)
    with monkeypatch.context() as exhausted:
        exhausted.setattr(threading.Thread, "start", no_thread)
        sink.record(record(0))
    assert sink.dropped == 1
    sink.record(record(1))
    sink.close()
    assert [trace["at"] for trace in world.issuer.traces] == [1.0]


def test_an_issuer_that_refuses_traces_does_not_disturb_the_api(world: World) -> None:
    world.issuer.raw["/traces"] = (500, {}, b"")
    sink = upload(world)
    sink.record(record())
    sink.close()
    assert sink.dropped == 1


def test_no_credential_stands_in_a_trace(world: World) -> None:
    guard = world.guard(direct=True)
    token = world.token(aud="https://other.example.com")
    reference = world.issuer.reference(**world.claims(aud="https://other.example.com"))
    asked = [
        bearer(token),
        bearer(reference),
        bearer(token[:-3]),
        request(("Authorization", f"Basic {token}")),
        request(("Authorization", token)),
        request(query=f"access_token={token}"),
        request(("Ostiary-Client-JWT", token)),
        request(("Authorization", f"Bearer {token}"), path=f"/orders/{token}"),
    ]
    for each in asked:
        story = json.dumps([str(part) for part in world.refusal(guard, each)])
        for secret in (token, token.split(".")[2], reference):
            assert secret not in story


def test_every_refusal_has_an_id_of_its_own(world: World) -> None:
    guard = world.guard()
    assert len({world.refusal(guard, request())[0].trace_id for _ in range(20)}) == 20
