"""Events of an upstream provider, fetched (RFC 8936), by a stream that we make there ourselves (SSF 1.0 section 8)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ostiary.settings.upstream_signals import UpstreamSignalSettings
from ostiary.shared_signals import upstream_stream
from ostiary.shared_signals.reception import WANTED, Source
from ostiary.shared_signals.upstream_stream import UpstreamStream
from tests.authorization_server.applications import add_user, sign_in
from tests.authorization_server.browser import Browser
from tests.authorization_server.world import ISSUER
from tests.shared_signals.telling_provider import FORGER, PUSH_SECRET, ToldWorld, signed, told_world

POLL, PUSH = "urn:ietf:rfc:8936", "urn:ietf:rfc:8935"


def _chore(world: ToldWorld) -> UpstreamStream:
    settings = world.settings.upstream["works"]
    assert settings.signals is not None
    return UpstreamStream(world.server, Source.of("works", settings), settings.signals)


def _round(world: ToldWorld, chore: UpstreamStream | None = None) -> int:
    return world.run((chore or _chore(world)).round())


@pytest.fixture
def told(tmp_path: Path) -> Iterator[ToldWorld]:
    """With ada, who is u-1 at the provider and signed in through it."""
    with told_world(tmp_path, delivery="poll", resource="https://works.example/ssf") as world:
        ada = add_user(world)
        world.link("usr_ada", "u-1")
        sign_in(Browser(world), ada, ("fed",))
        yield world


def test_our_stream_is_made_there_and_what_waits_is_taken_and_acknowledged(told: ToldWorld) -> None:
    claims = told.claims()
    told.provider.waiting = {claims["jti"]: signed(claims)}
    assert _round(told) == 1
    assert told.sessions() == 0
    assert told.provider.stream is not None
    assert told.provider.stream["events_requested"] == list(WANTED)
    assert told.provider.acknowledged == [claims["jti"]]
    [asked] = told.provider.requests("/token")
    assert asked.form()["resource"] == ["https://works.example/ssf"]
    assert asked.form()["scope"] == ["ssf.manage ssf.read"]


def test_a_stream_that_is_there_is_used_as_it_is(told: ToldWorld) -> None:
    chore = _chore(told)
    _round(told, chore)
    _round(told)
    _round(told, chore)
    assert [one.method for one in told.provider.requests("/streams")] == ["GET", "POST", "GET"]
    # One token serves until shortly before its end.
    assert len(told.provider.requests("/token")) == 2


def test_a_stream_that_is_otherwise_is_changed(told: ToldWorld) -> None:
    delivery = {"method": PUSH, "endpoint_url": "https://old.example/"}
    told.provider.stream = {"stream_id": "s-1", "delivery": delivery, "events_requested": []}
    _round(told)
    change = json.loads(told.provider.requests("/streams")[-1].body)
    assert change == {"stream_id": "s-1", "delivery": {"method": POLL}, "events_requested": list(WANTED)}


def test_what_is_bad_is_told_the_provider_and_the_rest_is_taken(told: ToldWorld) -> None:
    good = told.claims()
    told.provider.waiting = {
        "forged": signed(told.claims(jti="forged"), key=FORGER),
        "foreign": signed(told.claims(jti="foreign", aud="somebody-else")),
        "other-name": signed(told.claims(jti="something")),
        "cut": signed(told.claims(jti="cut"))[:-22],
        "number": 7,  # type: ignore[dict-item]
        good["jti"]: signed(good),
    }
    assert _round(told) == 1
    assert told.provider.waiting == {}
    assert {jti: one["err"] for jti, one in told.provider.errors.items()} == {
        "forged": "invalid_key",
        "foreign": "invalid_audience",
        "other-name": "invalid_request",
        "cut": "invalid_key",
        "number": "invalid_request",
    }
    refused = [row for row in told.signal_rows() if row.tag == "upstream_signal:refused"]
    assert [row.reason for row in refused] == ["signature", "audience", "jti", "signature", "format"]
    assert told.sessions() == 0


def test_what_was_not_acknowledged_in_time_comes_again_and_changes_nothing(told: ToldWorld) -> None:
    claims = told.claims()
    token = signed(claims)
    told.provider.waiting = {claims["jti"]: token}
    _round(told)
    sign_in(Browser(told), told.read(lambda work: work.users.get("usr_ada")), ("fed",))
    told.provider.waiting = {claims["jti"]: token}
    _round(told)
    assert told.sessions() == 1
    assert told.provider.waiting == {}


def test_many_events_are_fetched_in_several_requests(told: ToldWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_stream, "AT_ONCE", 2)
    told.provider.waiting = {f"j{n}": signed(told.claims(jti=f"j{n}")) for n in range(5)}
    assert _round(told) == 5
    assert len(told.provider.requests("/poll")) == 4


def test_a_provider_without_end_does_not_keep_the_chore(told: ToldWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_stream, "AT_ONCE", 1)
    monkeypatch.setattr(upstream_stream, "ROUNDS", 3)
    told.provider.waiting = {f"j{n}": signed(told.claims(jti=f"j{n}")) for n in range(5)}
    assert _round(told) == 3


@pytest.mark.parametrize("path", ["/token", "/streams", "/poll", "/.well-known/ssf-configuration", "/jwks"])
def test_a_provider_that_fails_is_asked_again_and_nothing_is_lost(told: ToldWorld, path: str) -> None:
    chore = _chore(told)
    claims = told.claims()
    told.provider.waiting = {claims["jti"]: signed(claims)}
    told.provider.down.add(path)
    assert _round(told, chore) == 0
    assert (told.sessions(), told.provider.acknowledged) == (1, [])
    told.provider.down.clear()
    assert _round(told, chore) == 1
    assert told.sessions() == 0


@pytest.mark.parametrize(
    "changes",
    [{"issuer": "https://evil.example"}, {"configuration_endpoint": "http://evil.example/"}, {"issuer": None}],
)
def test_a_description_that_is_of_somebody_else_is_not_used(told: ToldWorld, changes: dict[str, Any]) -> None:
    """SSF 1.0 7.2.4: "The 'issuer' value returned MUST be identical to the Issuer URL that was directly used"."""
    told.provider.description |= changes
    assert _round(told) == 0
    assert told.provider.requests("/token") == []


def test_for_push_the_provider_is_given_our_place_and_the_secret(tmp_path: Path) -> None:
    with told_world(tmp_path, delivery="push") as world:
        chore = _chore(world)
        _round(world, chore)
        _round(world, chore)
        assert world.provider.stream is not None
        assert world.provider.stream["delivery"] == {
            "method": PUSH,
            "endpoint_url": f"{ISSUER}/signals/works",
            "authorization_header": f"Bearer {PUSH_SECRET}",
        }
        # A secret that was changed reaches the provider with the next start.
        _round(world)
        assert [one.method for one in world.provider.requests("/streams")] == ["GET", "POST", "GET", "PATCH"]
        assert world.provider.requests("/poll") == []


def test_where_somebody_else_has_made_the_stream_it_is_only_fetched_from(tmp_path: Path) -> None:
    with told_world(tmp_path, delivery="poll", manage=False, poll_url="PLACE") as world:
        signals = world.settings.upstream["works"].signals
        assert signals is not None
        here = signals.model_copy(update={"poll_url": f"{world.provider.issuer}/poll"})
        source = Source.of("works", world.settings.upstream["works"])
        world.provider.waiting = {"j": signed(world.claims(jti="j"))}
        assert _round(world, UpstreamStream(world.server, source, here)) == 1
        assert world.provider.requests("/streams") == []


@pytest.mark.parametrize(
    "given",
    [
        {"delivery": "push"},
        {"delivery": "poll", "push_secret_file": "x"},
        {"delivery": "poll", "manage": False},
        {"delivery": "poll", "poll_url": "https://works.example/poll"},
        {"delivery": "push", "push_secret_file": "x", "manage": False, "poll_url": "https://works.example/poll"},
        {"delivery": "mail"},
        {"delivery": "poll", "poll_every": 0},
    ],
)
def test_settings_that_contradict_themselves_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        UpstreamSignalSettings.model_validate(given)
