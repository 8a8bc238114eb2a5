"""Poll (RFC 8936): what waits is handed until it is acknowledged, in order, bounded, and held requests end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ostiary.authorization_server.endpoints.shared_signals import poll
from ostiary.revocation import Act, revoke_token, revoke_user
from ostiary.user_authentication.accounts import enable_user
from tests.authorization_server.world import World
from tests.shared_signals.receiver import Receiver, names, user_of


@pytest.fixture
def receiver(world: World) -> Receiver:
    found = Receiver(world)
    found.create()
    return found


def _blink(world: World, user_id: str, times: int = 1) -> None:
    """Disable a user and let them in again."""
    for _ in range(times):
        world.clock.now += 1
        act = Act("cli", world.clock())
        world.write(lambda work, act=act: revoke_user(work, user_id, act))
        world.write(lambda work, act=act: enable_user(work, user_id, act))


def test_what_is_not_acknowledged_comes_again_under_the_same_name(world: World, receiver: Receiver) -> None:
    user_of(world, "ada", "app")
    _blink(world, "usr_ada")
    first = receiver.events()
    assert names(first) == ["session-revoked", "account-disabled", "account-enabled"]
    assert [one["jti"] for one in receiver.events()] == [one["jti"] for one in first]
    answer = receiver.poll(ack=[first[0]["jti"], first[2]["jti"]])
    assert list(answer.json["sets"]) == [first[1]["jti"]]
    assert receiver.poll(ack=[first[1]["jti"]]).json == {"sets": {}}


def test_so_many_come_as_were_asked_for_and_more_are_announced(world: World, receiver: Receiver) -> None:
    user_of(world, "ada", "app")
    _blink(world, "usr_ada", 2)
    answer = receiver.poll(maxEvents=2)
    assert (len(answer.json["sets"]), answer.json["moreAvailable"]) == (2, True)
    answer = receiver.poll(maxEvents=5, ack=list(answer.json["sets"]))
    assert (len(answer.json["sets"]), "moreAvailable" in answer.json) == (3, False)
    assert receiver.poll(maxEvents=0).json == {"sets": {}}


def test_one_answer_is_bounded_however_many_are_asked_for(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "MAX_EVENTS", 2)
    user_of(world, "ada", "app")
    _blink(world, "usr_ada", 2)
    answer = receiver.poll(maxEvents=1_000_000)
    assert (len(answer.json["sets"]), answer.json["moreAvailable"]) == (2, True)


def test_an_event_that_the_receiver_cannot_take_is_dropped_and_on_record(world: World, receiver: Receiver) -> None:
    user_of(world, "ada", "app")
    _blink(world, "usr_ada")
    jti = receiver.events()[0]["jti"]
    errors = {jti: {"err": "invalid_audience", "description": "not me"}, "unknown": {"err": "jwtParse"}}
    assert jti not in receiver.poll(setErrs=errors).json["sets"]
    [row] = [row for row in world.audit() if row.tag == "signal:not_taken"]
    assert (row.target, row.details["err"]) == (jti, "invalid_audience: not me")


def test_an_acknowledgement_takes_nothing_from_another_stream(world: World, receiver: Receiver) -> None:
    other = Receiver(world, "site")
    other.create()
    user_of(world, "ada", "app", "site")
    _blink(world, "usr_ada")
    mine = [one["jti"] for one in receiver.events()]
    assert len(other.poll(ack=mine).json["sets"]) == 3
    assert [one["jti"] for one in receiver.events()] == mine


@pytest.mark.parametrize(
    "members",
    [
        {"maxEvents": -1},
        {"maxEvents": "2"},
        {"maxEvents": True},
        {"returnImmediately": "yes"},
        {"ack": "j-1"},
        {"ack": [1]},
        {"setErrs": []},
        {"setErrs": {"j": "bad"}},
    ],
)
def test_a_request_that_is_malformed_takes_nothing(world: World, receiver: Receiver, members: dict[str, Any]) -> None:
    user_of(world, "ada", "app")
    _blink(world, "usr_ada")
    jtis = [one["jti"] for one in receiver.events()]
    assert receiver.poll(**({"ack": jtis} | members)).status == 400
    assert [one["jti"] for one in receiver.events()] == jtis


def test_a_stream_that_is_pushed_is_not_fetched(receiver: Receiver) -> None:
    delivery = {"method": "urn:ietf:rfc:8935", "endpoint_url": "https://app.example.com/"}
    receiver.call("PATCH", "/ssf/streams", {"stream_id": receiver.stream_id, "delivery": delivery})
    assert receiver.poll().status == 404


def _together(world: World, receiver: Receiver, *meanwhile: Any) -> list[Any]:
    """A held poll, and what happens while it is held."""

    async def both() -> list[Any]:
        headers = {"authorization": f"Bearer {receiver.token_now}"}
        path = f"/ssf/poll/{receiver.stream_id}"
        held = asyncio.ensure_future(world.call("POST", path, b"{}", headers))
        for _ in range(10_000):
            await asyncio.sleep(0)
            if world.server.held_polls:
                break
        found = [await act(path, headers) for act in meanwhile]
        return [await held, *found]

    return world.run(both())


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll, "LOOK_EVERY", 0.01)


@pytest.mark.usefixtures("soon")
def test_a_held_request_is_answered_when_something_comes(world: World, receiver: Receiver) -> None:
    user_of(world, "ada", "app")

    async def disable(_: str, __: object) -> None:
        async with world.storage.write() as work:
            await revoke_user(work, "usr_ada", Act("cli", world.clock()))

    held, _ = _together(world, receiver, disable)
    claims = [receiver.verified(token) for token in held.json["sets"].values()]
    assert names(claims) == ["session-revoked", "account-disabled"]
    assert world.server.held_polls == set()


@pytest.mark.usefixtures("soon")
def test_a_second_request_for_the_same_stream_is_not_held(world: World, receiver: Receiver) -> None:
    """So nobody can have a process hold more requests than there are streams."""

    async def again(path: str, headers: dict[str, str]) -> Any:
        return await world.call("POST", path, b"{}", headers)

    held, other = _together(world, receiver, again)
    assert (held.json, other.json) == ({"sets": {}}, {"sets": {}})


@pytest.mark.usefixtures("soon")
def test_so_many_requests_are_held_and_no_more(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "MAX_WAITING_REQUESTS", 0)
    monkeypatch.setattr(poll, "LOOKS", 1_000_000)
    assert receiver.poll(returnImmediately=False).json == {"sets": {}}


@pytest.mark.usefixtures("soon")
def test_a_token_that_ends_while_its_request_is_held_is_told_nothing(world: World, receiver: Receiver) -> None:
    user_of(world, "ada", "app")

    async def end(_: str, __: object) -> None:
        async with world.storage.write() as work:
            for token in await work.tokens.of_client("app", now=int(world.clock())):
                await revoke_token(work, token, Act("cli", world.clock()))
            await revoke_user(work, "usr_ada", Act("cli", world.clock()))

    held, _ = _together(world, receiver, end)
    assert (held.status, held.json["error"]) == (401, "invalid_token")


def test_what_the_receiver_took_is_on_record(world: World, receiver: Receiver) -> None:
    user_of(world, "ada", "app")
    _blink(world, "usr_ada")
    receiver.poll(ack=[one["jti"] for one in receiver.events()])
    told = [row.details for row in world.audit() if row.tag == "signals:told"]
    assert told == [{"handed": "3"}, {"taken": "3"}]
