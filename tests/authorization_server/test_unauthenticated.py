"""A stranger cannot fill the disk: a flood of bad requests becomes a few rows and one event with the counts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ostiary.app import Installation
from ostiary.audit import tags
from ostiary.authorization_server.unauthenticated import LOG_LINES_PER_MINUTE, MAX_NAMED, UnauthenticatedRefusals
from ostiary.errors import Unavailable
from ostiary.settings.sections import AuditSettings
from tests.authorization_server.applications import add_application
from tests.authorization_server.test_refusals import PATHS, break_storage
from tests.authorization_server.test_token_bucket import Monotonic
from tests.authorization_server.world import Answer, Clock, World
from tests.serving.test_app import rows, settings_in, within

PER_ADDRESS = 3
IN_ALL = 8


@pytest.fixture
def monotonic(world: World) -> Monotonic:
    """The world with small budgets, and the clock of its buckets."""
    clock = Monotonic()
    budget(world, clock)
    return clock


def budget(world: World, clock: Monotonic, *, behind_proxy: bool = False) -> None:
    settings = world.settings
    audit = settings.audit.model_copy(
        update={
            "unauthenticated_refusals_per_minute": IN_ALL,
            "unauthenticated_refusals_per_minute_and_address": PER_ADDRESS,
        }
    )
    server = settings.server.model_copy(update={"behind_proxy": behind_proxy})
    settings = settings.model_copy(update={"audit": audit, "server": server})
    world.server.settings = settings
    world.server.unauthenticated = UnauthenticatedRefusals(settings, clock)


def send(world: World, path: str, body: bytes, address: str = "192.0.2.7", **headers: str) -> Answer:
    """One request from ``address``."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def deliver(message: Any) -> None:
        sent.append(message)

    named: Mapping[str, str] = {"content-type": "application/x-www-form-urlencoded"} | headers
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        "client": (address, 40000),
        "query_string": b"",
    }

    async def serve() -> None:
        await world.app(scope, receive, deliver)

    world.run(serve())
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], told, sent[1]["body"])


def refused_rows(world: World) -> list[Any]:
    return [row for row in world.audit() if row.tag.endswith(":refused") or row.tag.endswith("_refused")]


def summaries(world: World) -> list[Any]:
    return [row for row in world.audit() if row.tag == tags.REFUSALS_SUMMARISED]


@pytest.mark.parametrize("path", [*PATHS, "/traces"])
def test_a_flood_of_malformed_forms_gets_few_rows_and_every_caller_its_error(
    world: World, monotonic: Monotonic, path: str
) -> None:
    answers = [send(world, path, b"a=1&a=2") for _ in range(40)]
    assert {answer.status for answer in answers} == {400}
    assert len({answer.json["trace"] for answer in answers}) == 40
    assert len(refused_rows(world)) == PER_ADDRESS
    kept = [world.read(lambda work, a=answer: work.traces.get(a.json["trace"])) for answer in answers]
    assert sum(record is not None for record in kept) == PER_ADDRESS


def test_a_flood_of_assertions_that_fail_gets_few_rows(world: World, monotonic: Monotonic) -> None:
    forms = [world.token_form("other", assertion=world.assertion("shop", "other-1")) for _ in range(12)]
    assert {world.post("/token", form).status for form in forms} == {401}
    assert len(refused_rows(world)) == PER_ADDRESS


def test_a_flood_that_names_unknown_clients_gets_few_rows(world: World, monotonic: Monotonic) -> None:
    forms = [world.token_form(assertion=world.assertion(f"nobody-{number}", "shop-1")) for number in range(12)]
    assert {world.post("/token", form).status for form in forms} == {401}
    assert len(refused_rows(world)) == PER_ADDRESS


def test_a_flood_in_the_name_of_a_public_client_gets_few_rows(world: World, monotonic: Monotonic) -> None:
    """A public client proves nothing, so anybody can send in its name."""
    add_application(world, "spa", authentication_method="none", key=None)
    form = {"grant_type": "authorization_code", "client_id": "spa", "code": "ost_ac_unknown"}
    answers = [world.post("/token", form) for _ in range(12)]
    assert {answer.json["error"] for answer in answers} == {"invalid_grant"}
    assert len({answer.json["trace"] for answer in answers}) == 12
    assert len(refused_rows(world)) == PER_ADDRESS


def test_what_got_no_rows_becomes_one_event_with_counts_by_check_and_address(
    world: World, monotonic: Monotonic
) -> None:
    for _ in range(5):
        send(world, "/token", b"a=1&a=2")
    for _ in range(4):
        send(world, "/introspect", b"", address="2001:db8::1")
    world.run(world.server.summarise_refusals())
    [event] = summaries(world)
    assert (event.outcome, event.actor, event.target) == ("refused", "server", "3 refusals")
    assert {name: count for name, count in event.details.items() if name != "since"} == {
        "check form": "2",
        "check method": "1",
    }
    assert event.details["since"] == str(int(world.clock() * 1000))
    assert event.personal == {"192.0.2.7": "2", "2001:db8::/64": "1"}
    assert "192.0.2.7" not in str(event.details)


def test_nothing_is_summarised_twice_and_nothing_when_there_was_nothing(world: World, monotonic: Monotonic) -> None:
    world.run(world.server.summarise_refusals())
    assert summaries(world) == []
    for _ in range(PER_ADDRESS + 1):
        send(world, "/token", b"")
    world.run(world.server.summarise_refusals())
    world.run(world.server.summarise_refusals())
    assert len(summaries(world)) == 1


def test_counts_that_cannot_be_written_are_written_later(
    monkeypatch: pytest.MonkeyPatch, world: World, monotonic: Monotonic
) -> None:
    for _ in range(PER_ADDRESS + 2):
        send(world, "/token", b"")
    with monkeypatch.context() as broken:
        break_storage(broken, world, "write")
        with pytest.raises(Unavailable):
            world.run(world.server.summarise_refusals())
    send(world, "/token", b"")
    world.run(world.server.summarise_refusals())
    [event] = summaries(world)
    assert event.target == "3 refusals"


def test_many_addresses_together_are_bounded_too(world: World, monotonic: Monotonic) -> None:
    for number in range(60):
        send(world, "/token", b"", address=f"198.51.100.{number}")
    assert len(refused_rows(world)) == IN_ALL
    world.run(world.server.summarise_refusals())
    [event] = summaries(world)
    assert len(event.personal) == MAX_NAMED + 1
    assert sum(map(int, event.personal.values())) == 60 - IN_ALL


def test_an_address_among_a_flood_from_another_still_gets_its_rows(world: World, monotonic: Monotonic) -> None:
    for _ in range(20):
        send(world, "/token", b"")
    answer = send(world, "/token", b"", address="198.51.100.9")
    assert world.trace(answer).checks[-1].name == "method"


def test_after_a_while_refusals_get_rows_again(world: World, monotonic: Monotonic) -> None:
    for _ in range(20):
        send(world, "/token", b"")
    monotonic.now += 20.5  # 3 a minute: one
    for _ in range(20):
        send(world, "/token", b"")
    assert len(refused_rows(world)) == PER_ADDRESS + 1


def test_behind_a_proxy_the_address_that_it_forwards_counts(world: World) -> None:
    budget(world, Monotonic(), behind_proxy=True)
    for _ in range(20):
        send(world, "/token", b"", **{"x-forwarded-for": "198.51.100.7"})
    assert [row.personal["address"] for row in refused_rows(world)] == ["198.51.100.7"] * PER_ADDRESS
    send(world, "/token", b"", **{"x-forwarded-for": "203.0.113.9"})
    assert len(refused_rows(world)) == PER_ADDRESS + 1


def test_refusals_of_authenticated_clients_always_get_their_rows(world: World, monotonic: Monotonic) -> None:
    for _ in range(20):
        send(world, "/token", b"")
    answers = [world.token(scope="no:such") for _ in range(12)]
    assert {world.trace(answer).checks[-1].name for answer in answers} == {"scope"}
    assert len([row for row in world.audit() if row.actor == "shop"]) == 12


def test_the_refusal_of_a_used_assertion_always_gets_its_row(world: World, monotonic: Monotonic) -> None:
    for _ in range(20):
        send(world, "/token", b"")
    form = world.token_form()
    assert world.post("/token", form).status == 200
    again = [world.post("/token", form) for _ in range(6)]
    assert [world.trace(answer).checks[-1].name for answer in again] == ["jti"] * 6


def test_the_trace_id_stands_in_the_log_and_the_log_is_bounded(
    caplog: pytest.LogCaptureFixture, world: World, monotonic: Monotonic
) -> None:
    with caplog.at_level(logging.WARNING):
        answers = [send(world, "/token", b"") for _ in range(LOG_LINES_PER_MINUTE + 40)]
    logged = [getattr(record, "trace", "") for record in caplog.records]
    assert logged == [answer.json["trace"] for answer in answers[PER_ADDRESS:][:LOG_LINES_PER_MINUTE]]


def test_a_request_refused_before_it_is_read_is_counted_and_its_log_lines_are_bounded(
    caplog: pytest.LogCaptureFixture, world: World, monotonic: Monotonic
) -> None:
    body = b"x" * (world.settings.server.max_body_bytes + 1)
    with caplog.at_level(logging.WARNING):
        answers = [send(world, "/token", body) for _ in range(LOG_LINES_PER_MINUTE + 5)]
    assert {answer.status for answer in answers} == {413}
    assert len(caplog.records) == LOG_LINES_PER_MINUTE
    assert refused_rows(world) == []
    world.run(world.server.summarise_refusals())
    [event] = summaries(world)
    assert event.details["check size"] == str(LOG_LINES_PER_MINUTE + 5)


def test_a_flood_that_makes_us_fail_is_bounded_too(
    monkeypatch: pytest.MonkeyPatch, world: World, monotonic: Monotonic
) -> None:
    """A client whose published keys cannot be fetched answers 503 to whoever names it."""

    async def gone(*_: object) -> Any:
        raise Unavailable("published keys", "no route")

    with monkeypatch.context() as broken:
        broken.setattr(type(world.server.registry), "client", gone)
        assert {world.token().status for _ in range(12)} == {503}
    assert len([row for row in world.audit() if row.outcome == "fault"]) == PER_ADDRESS


def test_every_refusal_is_counted_by_the_metrics(world: World, monotonic: Monotonic) -> None:
    for _ in range(20):
        send(world, "/token", b"")
    assert [labels["check"] for name, labels in world.events if name == "refused"] == ["method"] * 20


def test_the_defaults_bound_one_address_and_all_together(world: World) -> None:
    defaults = world.settings.model_copy(update={"audit": AuditSettings()})
    refusals = UnauthenticatedRefusals(defaults, Monotonic())
    assert sum(refusals.gets_rows("192.0.2.7") for _ in range(500)) == 20
    assert sum(refusals.gets_rows(f"198.51.100.{number % 250}") for number in range(5000)) == 40


def test_a_process_summarises_every_ten_seconds(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()

    async def act(parts: Installation) -> None:
        [chore] = [one for one in parts.request_chores() if one.name == "refusals"]
        parts.server.unauthenticated.count(Unavailable("storage"), "192.0.2.7", "token", "tr_x", now=1.0)
        await chore.run()
        assert chore.interval == 10.0
        assert len(await rows(parts, tags.REFUSALS_SUMMARISED)) == 1

    within(settings_in(folder), Clock(), act)
