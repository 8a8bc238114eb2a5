"""Refusals are written before they are answered; a fault refuses, and never admits."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ostiary.errors import Unavailable
from ostiary.storage.base import UnitOfWork
from tests.authorization_server.applications import add_application
from tests.authorization_server.world import NOW, World
from tests.endpoints.test_client_authentication import refused_by

PATHS = ["/token", "/introspect", "/revoke", "/client-keys", "/client-keys/next"]


def break_storage(monkeypatch: pytest.MonkeyPatch, world: World, part: str) -> None:
    """From now on this part of the storage cannot answer."""

    def gone(*_: object, **__: object) -> Any:
        raise Unavailable("storage", "disk I/O error", retry_after=3)

    monkeypatch.setattr(type(world.storage), part, gone)


def issued(world: World) -> list[Any]:
    return [row for row in world.audit() if row.tag == "token:issued"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("part", ["write", "positions"])
def test_a_storage_fault_refuses_with_503(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, world: World, part: str, path: str
) -> None:
    """Nothing is issued, and the trace id stands at least in the log."""
    form = world.token_form(token="x")
    with monkeypatch.context() as broken, caplog.at_level(logging.ERROR):
        break_storage(broken, world, part)
        answer = world.post(path, form)
    assert (answer.status, answer.json["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["retry-after"] == "3"
    assert issued(world) == []
    if part == "write":
        assert answer.json["trace"] in {getattr(record, "trace", "") for record in caplog.records}
    else:
        assert world.trace(answer).outcome == "fault"


def test_a_refusal_that_cannot_be_written_is_answered_with_503(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """A refusal is a write too: without its audit event it is not answered as one."""
    form = world.token_form(scope="no:such")
    with monkeypatch.context() as broken:
        break_storage(broken, world, "write")
        assert world.post("/token", form).status == 503
    refused_by(world, world.post("/token", form), "scope", "invalid_scope", 400)


@pytest.mark.parametrize("repository", ["tokens", "audit", "replay"])
def test_a_fault_within_the_transaction_issues_nothing(
    monkeypatch: pytest.MonkeyPatch, world: World, repository: str
) -> None:
    async def inside() -> Any:
        async with world.storage.write() as work:
            return type(getattr(work, repository))

    kind = world.run(inside())
    form = world.token_form()

    async def fail(*_: object, **__: object) -> None:
        raise Unavailable("storage", "disk full")

    with monkeypatch.context() as broken:
        for method in ("add", "append", "mark"):
            if hasattr(kind, method):
                broken.setattr(kind, method, fail)
        assert world.post("/token", form).status == 503
    assert issued(world) == []
    # The mark was rolled back with the rest: the client may try the same assertion again.
    assert world.post("/token", form).status == 200


def test_an_error_of_our_own_is_a_500_without_a_word_of_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, world: World
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("ostiary.authorization_server.tokens.new_jti", broken)
    answer = world.token()
    assert (answer.status, answer.json["error"]) == (500, "server_error")
    assert b"secret" not in answer.body
    assert world.trace(answer).checks[-1].seen == "RuntimeError"
    assert "a secret detail" in caplog.text


def test_no_signing_key_is_a_fault_and_no_token(world: World) -> None:
    from dataclasses import replace

    from tests.authorization_server.world import ORDERS

    api = world.read(lambda work: work.apis.get(ORDERS))
    world.write(lambda work: work.apis.replace(replace(api, token_alg="PS256")))
    answer = world.token()
    assert answer.status == 503
    assert world.trace(answer).checks[-1].name == "signing keys"


def test_a_refusal_after_authentication_leaves_mark_event_and_trace(world: World) -> None:
    answer = world.token(scope="no:such")
    refused_by(world, answer, "scope", "invalid_scope", 400)
    [event] = [row for row in world.audit() if row.tag == "token:refused"]
    assert (event.actor, event.outcome, event.reason) == ("shop", "refused", "scope")
    assert event.key_thumbprint
    trace = world.trace(answer)
    assert trace.context["scope"] == "no:such"
    assert [check.name for check in trace.checks][-3:] == ["lifetime", "jti", "scope"]


def test_a_refusal_before_authentication_claims_nobody_as_its_actor(world: World) -> None:
    world.token(assertion=world.assertion("shop", "other-1"))
    [event] = [row for row in world.audit() if row.tag == "token:refused"]
    assert (event.actor, event.key_thumbprint, event.details["client_id"]) == ("", "", "shop")


def test_the_address_of_the_caller_is_kept_as_personal_data(world: World) -> None:
    world.token(scope="no:such")
    [event] = [row for row in world.audit() if row.tag == "token:refused"]
    assert "192.0.2.7" in str(event.personal)
    assert "192.0.2.7" not in str(event.details)


def test_no_credential_gets_into_trace_or_audit(world: World) -> None:
    form = world.token_form(scope="no:such", resource=world.assertion())
    answer = world.post("/token", form)
    written = str(world.trace(answer)) + str(world.audit())
    assert "eyJ" not in written


def test_traces_end_and_audit_stays(world: World) -> None:
    """A flood of refusals must not grow the tables without bound."""
    answer = world.token(scope="no:such")
    world.clock.now = NOW + world.settings.traces.retention_days * 86_400 + 1
    world.run(world.storage.expire(int(world.clock.now)))
    assert world.read(lambda work: work.traces.get(answer.json["trace"])) is None
    assert len([row for row in world.audit() if row.tag == "token:refused"]) == 1


def test_a_success_is_one_event(world: World) -> None:
    world.token(scope="orders:read")
    [event] = issued(world)
    assert (event.outcome, event.actor, event.details["scope"]) == ("allowed", "shop", "orders:read")
    assert world.events == [("token_issued", {"format": "self-contained"})]


def test_too_many_at_once_are_told_to_wait(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    import asyncio
    from urllib.parse import urlencode

    world.add_client("busy", max_concurrency=2)
    headers = {"content-type": "application/x-www-form-urlencoded"}
    bodies = [urlencode(world.token_form("busy")).encode() for _ in range(6)]

    async def storm() -> list[Any]:
        return await asyncio.gather(*(world.call("POST", "/token", body, headers) for body in bodies))

    answers = world.run(storm())
    assert sorted(answer.status for answer in answers) == [200, 200, 429, 429, 429, 429]
    refused = next(answer for answer in answers if answer.status == 429)
    assert (refused.headers["retry-after"], refused.json["error"]) == ("1", "temporarily_unavailable")
    assert world.trace(refused).checks[-1].name == "concurrency"
    assert world.token("busy").status == 200


def test_behind_a_proxy_nobody_takes_the_share_of_a_public_client_from_others(world: World) -> None:
    import asyncio

    server = world.settings.server.model_copy(update={"behind_proxy": True})
    world.server.settings = world.settings.model_copy(update={"server": server})
    add_application(world, "spa", authentication_method="none", key=None, max_concurrency=1)
    body = b"grant_type=authorization_code&client_id=spa&code=ost_ac_unknown"
    senders = ["198.51.100.7", "198.51.100.7", "203.0.113.9"]

    async def storm() -> list[Any]:
        form = {"content-type": "application/x-www-form-urlencoded"}
        return await asyncio.gather(
            *(world.call("POST", "/token", body, form | {"x-forwarded-for": sender}) for sender in senders)
        )

    assert [answer.status for answer in world.run(storm())] == [400, 429, 400]


def test_a_change_between_decision_and_transaction_is_decided_anew(
    monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    """The client is disabled while its request waits for the transaction: it gets no token."""
    from dataclasses import replace

    client = world.read(lambda work: work.clients.get("shop"))
    write = type(world.storage).write
    waiting = [True]

    @asynccontextmanager
    async def slow(storage: Any, *, brief: bool = False) -> Any:
        if waiting and waiting.pop():
            async with write(storage) as work:
                await work.clients.replace(replace(client, state="disabled"))
        async with write(storage, brief=brief) as work:
            yield work

    with monkeypatch.context() as slowed:
        slowed.setattr(type(world.storage), "write", slow)
        answer = world.token()
    refused_by(world, answer, "client")
    assert issued(world) == []


def test_what_changes_without_end_is_refused_with_503(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    from dataclasses import replace

    client = world.read(lambda work: work.clients.get("shop"))
    write = type(world.storage).write

    @asynccontextmanager
    async def busy(storage: Any, *, brief: bool = False) -> Any:
        async with write(storage) as work:
            await work.clients.replace(replace(client, name="renamed"))
        async with write(storage, brief=brief) as work:
            yield work

    with monkeypatch.context() as slowed:
        slowed.setattr(type(world.storage), "write", busy)
        answer = world.token()
    assert (answer.status, world.trace(answer).checks[-1].name) == (503, "registry")
    assert issued(world) == []


def test_the_position_of_a_token_is_the_one_before_its_decision(world: World) -> None:
    """So that a revocation between decision and transaction ends it."""
    from ostiary.revocation import Act, revoke_client

    client = world.read(lambda work: work.clients.get("shop"))

    async def disable_and_enable(work: UnitOfWork) -> None:
        await revoke_client(work, "shop", Act("cli", NOW))
        await work.clients.replace(client)

    world.write(disable_and_enable)
    token = world.access_token()
    assert world.introspect(token).json["rev"] == 1
