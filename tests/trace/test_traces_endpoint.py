"""APIs send their traces as themselves; what they send is bounded, redacted anew, and replaces nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ostiary.trace import Check, TraceRecord, new_trace_id
from tests.authorization_server.world import NOW, World

SECRET_JWT = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJzaG9wIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.add_api()
    world.add_client()
    yield world
    world.close()


def sent(**changes: Any) -> dict[str, Any]:
    trace = {
        "trace_id": new_trace_id(),
        "at": NOW,
        "kind": "api",
        "outcome": "refused",
        "public": "audience mismatch",
        "checks": [{"name": "audience", "passed": False, "seen": "https://a.example"}],
        "context": {"method": "GET"},
    }
    return {name: value for name, value in (trace | changes).items() if value is not None}


def send(world: World, *traces: Any, caller: str = "api_orders", text: str | None = None) -> Any:
    document = text if text is not None else json.dumps({"traces": list(traces)})
    return world.post("/traces", world.form(caller, traces=document))


def stored(world: World, trace: dict[str, Any]) -> Any:
    return world.read(lambda work: work.traces.get(trace["trace_id"]))


def test_a_trace_is_kept_under_the_name_of_its_api(world: World) -> None:
    trace = sent()
    answer = send(world, trace)
    assert (answer.status, answer.json) == (200, {"stored": 1})
    check = Check("audience", False, "https://a.example")
    expected = TraceRecord(trace["trace_id"], NOW, "api", "refused", "audience mismatch", (check,), {"method": "GET"})
    assert stored(world, trace) == (expected, "api_orders")


def test_the_metadata_names_the_endpoint(world: World) -> None:
    metadata = world.get("/.well-known/oauth-authorization-server").json
    assert metadata["ostiary_traces_endpoint"] == "https://auth.example.com/traces"


def test_a_hundred_traces_are_one_batch(world: World) -> None:
    batch = [sent(checks=[], context={}) for _ in range(100)]
    assert send(world, *batch).json == {"stored": 100}
    assert send(world, *batch, sent(checks=[], context={})).status == 400


def test_a_client_that_is_no_api_is_refused_and_that_is_on_record(world: World) -> None:
    """attack: a client forges the traces of an API."""
    trace = sent()
    answer = send(world, trace, caller="shop")
    assert (answer.status, answer.json["error"]) == (403, "unauthorized_client")
    assert stored(world, trace) is None
    refused = [(row.actor, row.reason) for row in world.audit() if row.tag == "traces:refused"]
    assert refused == [("shop", "caller")]


def test_an_unauthenticated_caller_is_refused(world: World) -> None:
    trace = sent()
    assert world.post("/traces", {"traces": json.dumps({"traces": [trace]})}).status == 401
    assert stored(world, trace) is None


def test_an_existing_trace_is_not_overwritten(world: World) -> None:
    """attack: an API puts its own story in the place of the server's."""
    refusal = world.token(assertion="eyJhbGciOiJFUzI1NiJ9.e30.AAAA")
    before = world.trace(refusal)
    forged = sent(trace_id=before.trace_id, public="all is well")
    assert send(world, forged).json == {"stored": 0}
    assert world.trace(refusal) == before


def test_the_same_id_twice_in_one_batch_is_kept_once(world: World) -> None:
    trace = sent()
    assert send(world, trace, {**trace, "public": "another story"}).json == {"stored": 1}


@pytest.mark.parametrize("where", ["seen", "expected", "mend", "name", "public", "kind", "context"])
def test_a_credential_in_a_trace_is_blotted_out(world: World, where: str) -> None:
    short = "ost_at_A1b2C3_0123456789abcdef"
    value = short if where in ("name", "kind") else f"it was {SECRET_JWT}"
    check = {"name": "audience", "passed": False}
    changes: dict[str, Any] = {"checks": [check]}
    if where in ("seen", "expected", "mend", "name"):
        check[where] = value
    else:
        changes[where] = {"token": value} if where == "context" else value
    trace = sent(**changes)
    assert send(world, trace).json == {"stored": 1}
    assert "[credential]" in str(stored(world, trace))
    assert SECRET_JWT not in str(stored(world, trace))
    assert short not in str(stored(world, trace))


@pytest.mark.parametrize(
    "changes",
    [
        {"trace_id": "tr_short"},
        {"trace_id": "tr_" + "a" * 23},
        {"trace_id": "TR_" + "a" * 22},
        {"trace_id": "tr_" + "a" * 21 + "/"},
        {"trace_id": None},
        {"at": -1},
        {"at": "yesterday"},
        {"at": 1e300},
        {"kind": ""},
        {"kind": "x" * 65},
        {"outcome": "allowed"},
        {"public": "x" * 1001},
        {"checks": [{"name": "audience"}]},
        {"checks": [{"name": "audience", "passed": "no"}]},
        {"checks": [{"name": "a", "passed": True}] * 66},
        {"context": {str(n): "x" for n in range(21)}},
        {"context": {"x": 1}},
        {"source": "server"},
    ],
)
def test_a_trace_of_another_form_is_refused_with_its_batch(world: World, changes: dict[str, Any]) -> None:
    good = sent()
    answer = send(world, good, sent(**changes))
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")
    assert stored(world, good) is None
    assert world.trace(answer).checks[-1].name == "traces"


@pytest.mark.parametrize("text", ["{", "[]", '{"traces":{}}', '{"traces":[1]}', '{"traces":[],"x":1}', "null"])
def test_anything_but_a_batch_is_refused(world: World, text: str) -> None:
    assert send(world, text=text).status == 400


def test_a_missing_parameter_is_refused(world: World) -> None:
    assert world.post("/traces", world.form("api_orders")).status == 400


def test_an_oversized_body_is_refused_before_it_is_looked_at(world: World) -> None:
    answer = send(world, text="[" * 70_000)
    assert answer.status == 413


def test_traces_of_apis_expire_like_the_servers_own(world: World) -> None:
    trace = sent()
    send(world, trace)
    world.clock.now += world.settings.traces.retention_days * 86_400 + 1
    while world.run(world.storage.expire(int(world.clock()))):
        pass
    assert stored(world, trace) is None


def test_a_replayed_assertion_brings_no_traces(world: World) -> None:
    assertion = world.assertion("api_orders")
    first, second = sent(), sent()
    for trace, status in ((first, 200), (second, 401)):
        form = world.form("api_orders", assertion=assertion, traces=json.dumps({"traces": [trace]}))
        assert world.post("/traces", form).status == status
    assert stored(world, second) is None
