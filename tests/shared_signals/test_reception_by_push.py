"""Events of an upstream provider, pushed (RFC 8935): what is good ends what it names, once; no other does anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ostiary.model.grant import Grant
from tests.authorization_server.applications import add_user, sign_in
from tests.authorization_server.browser import Browser
from tests.authorization_server.world import Answer
from tests.shared_signals.telling_provider import FORGER, PUSH_SECRET, ToldWorld, signed, told_world

SESSION_REVOKED = "caep/event-type/session-revoked"
CREDENTIAL_CHANGE = "caep/event-type/credential-change"
ENDS_EVERYTHING = [
    "risc/event-type/account-disabled",
    "risc/event-type/account-purged",
    "risc/event-type/credential-compromise",
]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[ToldWorld]:
    """With ada, who is u-1 at the provider and is signed in through it and by a password."""
    with told_world(tmp_path, delivery="push") as world:
        ada = add_user(world)
        world.link("usr_ada", "u-1")
        sign_in(Browser(world), ada, ("fed",))
        sign_in(Browser(world), ada, ("pwd",))
        yield world


def _push(world: ToldWorld, token: str | bytes, path: str = "/signals/works", /, **headers: str) -> Answer:
    sent = {"content_type": "application/secevent+jwt", "authorization": f"Bearer {PUSH_SECRET}"} | headers
    named = {name.replace("_", "-"): value for name, value in sent.items() if value}
    body = token if isinstance(token, bytes) else token.encode()
    return world.run(world.call("POST", path, body, named))


def _refused(world: ToldWorld, answer: Answer, err: str, check: str) -> None:
    """As RFC 8935 2.3 says, with a trace and an audit event; and nothing has changed."""
    assert answer.status == 400, answer.body
    assert answer.json["err"] == err
    assert answer.json["description"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-language"] == "en"
    assert world.trace(answer).checks[-1].name == check
    row = world.signal_rows()[-1]
    assert (row.tag, row.reason) == ("upstream_signal:refused", check)
    assert world.sessions() == 2


def test_a_revoked_session_ends_what_was_signed_in_to_by_the_provider(told: ToldWorld) -> None:
    """Not what the user has proved here by themselves: of that the provider knows nothing."""
    answer = _push(told, signed(told.claims(SESSION_REVOKED)))
    assert (answer.status, answer.body) == (202, b"")
    [left] = told.read(lambda work: work.sessions.of_user("usr_ada"))
    assert left.amr == ("pwd",)
    [row] = told.signal_rows()
    assert (row.tag, row.target, row.actor) == ("upstream_signal:taken", "usr_ada", "upstream:works")
    assert (row.reason, row.details["sessions"], row.details["grants"]) == ("session-revoked", "1", "0")


@pytest.mark.parametrize("event", ENDS_EVERYTHING)
def test_a_lost_account_ends_every_session_and_grant(told: ToldWorld, event: str) -> None:
    now = int(told.clock())
    grant = Grant("gr_1", "app", "usr_ada", "authorization_code", now, None, None, "usr_ada", "", {"": ("openid",)})
    told.write(lambda work: work.grants.add(grant))
    assert _push(told, signed(told.claims(event))).status == 202
    assert told.sessions() == 0
    assert told.read(lambda work: work.grants.standing_of_user("usr_ada")) == []
    assert told.signal_rows()[0].details["sessions"] == "2"
    assert told.signal_rows()[0].details["grants"] == "1"


@pytest.mark.parametrize(("change", "left"), [("revoke", 1), ("update", 1), ("delete", 1), ("create", 2), (None, 2)])
def test_a_changed_credential_ends_sessions_unless_it_was_only_added(
    told: ToldWorld, change: str | None, left: int
) -> None:
    said = {"credential_type": "password", "change_type": change}
    assert _push(told, signed(told.claims(CREDENTIAL_CHANGE, saying=said))).status == 202
    assert told.sessions() == left


def test_a_complex_subject_names_its_user(told: ToldWorld) -> None:
    subject = {
        "format": "complex",
        "user": {"format": "iss_sub", "iss": told.provider.issuer, "sub": "u-1"},
        "session": {"format": "opaque", "id": "theirs"},
    }
    assert _push(told, signed(told.claims(SESSION_REVOKED, sub_id=subject))).status == 202
    assert told.sessions() == 1


def test_a_replayed_event_is_acknowledged_and_changes_nothing(told: ToldWorld) -> None:
    """After a restart, too: the mark is in the database."""
    token = signed(told.claims())
    assert _push(told, token).status == 202
    sign_in(Browser(told), told.read(lambda work: work.users.get("usr_ada")))
    assert _push(told, token).status == 202
    assert told.sessions() == 1
    rows = told.signal_rows()
    assert [row.tag for row in rows] == ["upstream_signal:taken", "upstream_signal:ignored"]
    assert rows[1].details["why"] == "taken before"


def test_the_same_jti_from_another_event_is_a_replay_too(told: ToldWorld) -> None:
    _push(told, signed(told.claims(SESSION_REVOKED, jti="same")))
    assert _push(told, signed(told.claims(jti="same"))).status == 202
    assert told.sessions() == 1


def test_an_event_that_comes_late_leaves_what_began_since_alone(told: ToldWorld) -> None:
    """Reordered: the account was disabled, enabled, and its user has signed in again before the first event came."""
    late = signed(told.claims(saying={"event_timestamp": int(told.clock())}))
    told.clock.now += 3600
    sign_in(Browser(told), told.read(lambda work: work.users.get("usr_ada")), ("fed",))
    assert _push(told, late).status == 202
    [left] = told.read(lambda work: work.sessions.of_user("usr_ada"))
    assert left.created_at == int(told.clock())


def test_a_provider_whose_clock_is_behind_still_ends_the_session(told: ToldWorld) -> None:
    """Its ID token was taken with that clock, so its event is as well: rather one session too many ends."""
    told.clock.now += 100
    late = told.claims(SESSION_REVOKED, iat=int(told.clock()) - 500, saying={"event_timestamp": told.clock() - 500})
    assert _push(told, signed(late)).status == 202
    assert told.sessions() == 1


def test_a_provider_ends_nothing_of_those_whom_another_provider_vouches_for(told: ToldWorld) -> None:
    told.link("usr_ada", "o-1", "https://other.example")
    subject = {"format": "iss_sub", "iss": "https://other.example", "sub": "o-1"}
    assert _push(told, signed(told.claims(sub_id=subject))).status == 202
    assert told.sessions() == 2
    assert "linked to nobody" in told.signal_rows()[0].details["why"]


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        ({"format": "iss_sub", "iss": "ISSUER", "sub": "u-2"}, "linked to nobody"),
        ({"format": "iss_sub", "iss": "https://other.example", "sub": "u-1"}, "linked to nobody"),
        ({"format": "email", "email": "ada@example.com"}, "linked to nobody"),
        ({"format": "opaque", "id": "usr_ada"}, "linked to nobody"),
    ],
)
def test_a_subject_that_nobody_is_linked_to_changes_nothing(told: ToldWorld, subject: dict[str, str], why: str) -> None:
    """Never found by an address: whoever has one at some provider would end the sessions of its namesake here."""
    named = {name: value.replace("ISSUER", told.provider.issuer) for name, value in subject.items()}
    assert _push(told, signed(told.claims(sub_id=named))).status == 202
    assert told.sessions() == 2
    assert why in told.signal_rows()[0].details["why"]


@pytest.mark.parametrize(
    ("event", "said", "why"),
    [
        ("risc/event-type/account-enabled", {}, "no effect"),
        ("caep/event-type/device-compliance-change", {}, "no effect"),
        ("ssf/event-type/verification", {"state": "x"}, "about the stream"),
        ("ssf/event-type/stream-updated", {"status": "paused"}, "paused"),
    ],
)
def test_an_event_without_effect_is_acknowledged_and_on_record(
    told: ToldWorld, event: str, said: dict[str, str], why: str
) -> None:
    assert _push(told, signed(told.claims(event, saying=said))).status == 202
    assert told.sessions() == 2
    assert why in told.signal_rows()[0].details["why"]


@pytest.mark.parametrize(
    ("err", "check", "changes"),
    [
        ("invalid_issuer", "issuer", {"iss": "https://other.example"}),
        ("invalid_audience", "audience", {"aud": "somebody-else"}),
        ("invalid_audience", "audience", {"aud": None}),
        ("invalid_request", "jti", {"jti": None}),
        ("invalid_request", "issued_at", {"iat": 1}),
        ("invalid_request", "issued_at", {"iat": 4_000_000_000}),
        ("invalid_request", "claims", {"exp": 4_000_000_000}),
        ("invalid_request", "claims", {"sub": "u-1"}),
        ("invalid_request", "events", {"events": {}}),
        ("invalid_request", "subject", {"sub_id": {"format": "shoe_size", "size": "42"}}),
        ("invalid_request", "subject", {"sub_id": None}),
    ],
)
def test_what_fails_one_check_is_refused_by_it(told: ToldWorld, err: str, check: str, changes: dict[str, Any]) -> None:
    """standards 78."""
    _refused(told, _push(told, signed(told.claims(**changes))), err, check)


def test_a_forged_event_is_refused(told: ToldWorld) -> None:
    _refused(told, _push(told, signed(told.claims(), key=FORGER)), "invalid_key", "signature")


def test_an_event_by_an_unknown_key_is_refused(told: ToldWorld) -> None:
    _refused(told, _push(told, signed(told.claims(), kid="unknown")), "invalid_key", "key")


@pytest.mark.parametrize("typ", ["JWT", "logout+jwt", "at+jwt", None])
def test_another_token_of_the_provider_is_no_event(told: ToldWorld, typ: str | None) -> None:
    """standards 68: an ID token or a logout token, signed by the same key."""
    _refused(told, _push(told, signed(told.claims(), typ=typ)), "invalid_request", "type")


@pytest.mark.parametrize("kept", [0, 20, -1, -30])
def test_a_truncated_event_is_refused(told: ToldWorld, kept: int) -> None:
    answer = _push(told, signed(told.claims())[:kept])
    assert answer.status == 400
    assert answer.json["err"] in ("invalid_request", "invalid_key")
    assert told.sessions() == 2


def test_an_oversized_event_is_refused_before_it_is_decoded(told: ToldWorld) -> None:
    _refused(told, _push(told, signed(told.claims(txn="x" * 20_000))), "invalid_request", "format")
    assert _push(told, b"x" * 70_000).status == 413


def test_a_body_that_is_not_text_is_refused(told: ToldWorld) -> None:
    _refused(told, _push(told, b"\xff\xfe"), "invalid_request", "format")


@pytest.mark.parametrize("content_type", ["", "application/json", "application/jwt", "text/plain"])
def test_another_content_type_is_refused(told: ToldWorld, content_type: str) -> None:
    _refused(told, _push(told, signed(told.claims()), content_type=content_type), "invalid_request", "format")


@pytest.mark.parametrize(
    "authorization", ["", PUSH_SECRET, f"Basic {PUSH_SECRET}", "Bearer x", f"Bearer {PUSH_SECRET}x"]
)
def test_a_sender_without_the_secret_is_refused_before_anything_is_looked_at(
    told: ToldWorld, authorization: str
) -> None:
    answer = _push(told, signed(told.claims()), authorization=authorization)
    _refused(told, answer, "authentication_failed", "authentication")
    assert told.provider.requests("/jwks") == []
    assert PUSH_SECRET not in str(told.signal_rows())


@pytest.mark.parametrize("path", ["/signals/other", "/signals/nobody", "/signals/"])
def test_who_tells_us_nothing_has_no_place(told: ToldWorld, path: str) -> None:
    assert _push(told, signed(told.claims()), path).status == 404


def test_without_the_keys_of_the_provider_nothing_is_taken_and_it_may_come_again(told: ToldWorld) -> None:
    """A fault refuses: 503, so that the provider sends it again."""
    told.provider.down.add("/jwks")
    token = signed(told.claims())
    assert _push(told, token).status == 503
    assert told.sessions() == 2
    told.provider.down.clear()
    assert _push(told, token).status == 202
    assert told.sessions() == 0


def test_a_mark_is_kept_as_long_as_its_token_could_be_taken(told: ToldWorld) -> None:
    token = signed(told.claims())
    _push(told, token)
    told.clock.now += 7 * 86_400 - 1
    told.run(told.storage.expire(int(told.clock())))
    assert _push(told, token).status == 202
    assert told.signal_rows()[-1].details["why"] == "taken before"
    told.clock.now += 120
    while told.run(told.storage.expire(int(told.clock()))):
        pass
    assert _push(told, token).json["err"] == "invalid_request"
