"""What is told of which act: to the clients who know the user, by the name that they know, and to nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ostiary.revocation import Act, end_sessions_of, revoke_consent, revoke_session, revoke_user
from ostiary.shared_signals import acts
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication import recovery_code
from ostiary.user_authentication.accounts import add_factor, enable_user, new_factor, remove_factor, set_password_hash
from tests.authorization_server.applications import sign_in
from tests.authorization_server.browser import Browser
from tests.authorization_server.world import ISSUER, World
from tests.shared_signals.receiver import Receiver, names, only, user_of

HASH = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$yBAQOVp8VZyKTTqyV9ElZJjnz7zCvFgKkQ0aJuJ8n0Y"
ADA = {"format": "iss_sub", "iss": ISSUER, "sub": "usr_ada"}


@pytest.fixture
def receiver(world: World) -> Receiver:
    found = Receiver(world)
    found.create()
    return found


def _act(world: World, actor: str = "cli") -> Act:
    return Act(actor, world.clock())


def test_a_session_that_is_ended_is_told_with_user_and_session(world: World, receiver: Receiver) -> None:
    _, browser = user_of(world, "ada", "app")
    [session] = world.read(lambda work: work.sessions.of_user("usr_ada"))
    browser.get("/logout")
    browser.submit("sign-out-form", decision="sign_out")
    [claims] = receiver.events()
    name, event = only(claims)
    assert name == "session-revoked"
    assert event == {"event_timestamp": int(world.clock()), "initiating_entity": "user"}
    assert claims["sub_id"] == {
        "format": "complex",
        "user": ADA,
        "session": {"format": "opaque", "id": session.session_id},
    }


def test_the_end_of_a_session_is_told_to_those_alone_who_were_used_in_it(world: World, receiver: Receiver) -> None:
    """Another session of a user whom they know is none of their business."""
    user, _ = user_of(world, "ada", "app")
    elsewhere = Browser(world)
    session = sign_in(elsewhere, user)
    world.write(lambda work: revoke_session(work, session.session_id, _act(world)))
    assert receiver.events() == []


@pytest.mark.parametrize(
    ("actor", "entity"), [("cli", "admin"), ("admin:ops", "admin"), ("user:usr_ada", "user"), ("server", "system")]
)
def test_who_did_it_is_told(world: World, receiver: Receiver, actor: str, entity: str) -> None:
    user_of(world, "ada", "app")
    world.write(lambda work: revoke_user(work, "usr_ada", _act(world, actor)))
    events = receiver.events()
    assert names(events) == ["session-revoked", "account-disabled"]
    assert {only(one)[1]["initiating_entity"] for one in events} == {entity}
    assert events[1]["sub_id"] == ADA


def test_a_step_up_is_told_with_both_levels_and_the_session(world: World, receiver: Receiver) -> None:
    user, browser = user_of(world, "ada", "app")
    sign_in(browser, user, ("otp",), step_up=True)
    sign_in(browser, user, ("pwd",))
    raised, lowered = receiver.events()
    name, event = only(raised)
    assert name == "assurance-level-change"
    assert event == {
        "event_timestamp": int(world.clock()),
        "initiating_entity": "user",
        "namespace": "urn:ostiary:acr",
        "previous_level": "urn:ostiary:acr:one-factor",
        "current_level": "urn:ostiary:acr:two-factors",
        "change_direction": "increase",
    }
    assert raised["sub_id"]["user"] == ADA
    assert raised["sub_id"]["session"]["id"].startswith("ses_")
    assert only(lowered)[1]["change_direction"] == "decrease"


def test_a_sign_in_of_the_same_strength_tells_nothing(world: World, receiver: Receiver) -> None:
    user, browser = user_of(world, "ada", "app")
    sign_in(browser, user)
    assert receiver.events() == []


def test_an_account_that_is_enabled_again_is_told(world: World, receiver: Receiver) -> None:
    user_of(world, "ada", "app")
    world.write(lambda work: revoke_user(work, "usr_ada", _act(world)))
    world.write(lambda work: enable_user(work, "usr_ada", _act(world)))
    assert names(receiver.events())[-1] == "account-enabled"


async def _passkey(work: UnitOfWork, act: Act) -> str:
    made = new_factor("usr_ada", "passkey", "key", b"cose", act.now)
    return (await add_factor(work, made, act)).factor_id


def test_each_change_of_a_factor_is_told_with_its_kind(world: World, receiver: Receiver) -> None:
    user_of(world, "ada", "app")
    act = _act(world, "user:usr_ada")

    async def change(work: UnitOfWork) -> None:
        await set_password_hash(work, "usr_ada", HASH, act)
        await set_password_hash(work, "usr_ada", HASH, act)
        passkey = await _passkey(work, act)
        await add_factor(work, new_factor("usr_ada", "totp", "phone", b"seed", act.now), act)
        await remove_factor(work, "usr_ada", passkey, act)
        await recovery_code.replace_codes(work, "usr_ada", recovery_code.new_codes(), act)

    world.write(change)
    told = [only(one) for one in receiver.events()]
    assert {name for name, _ in told} == {"credential-change"}
    assert [(event["credential_type"], event["change_type"]) for _, event in told] == [
        ("password", "create"),
        ("password", "update"),
        ("fido2-platform", "create"),
        ("app", "create"),
        ("fido2-platform", "delete"),
        ("recovery-code", "create"),
    ]


def test_a_stranger_is_never_told_of(world: World, receiver: Receiver) -> None:
    user_of(world, "eve")
    user_of(world, "bob", "app")
    other = Receiver(world, "site")
    other.create()
    for name in ("usr_eve", "usr_bob"):
        world.write(lambda work, name=name: revoke_user(work, name, _act(world)))
    assert {str(one["sub_id"]) for one in other.events()} == set()
    assert names(receiver.events()) == ["session-revoked", "account-disabled"]


def test_who_was_forgotten_by_a_client_long_ago_is_a_stranger(world: World, receiver: Receiver) -> None:
    user_of(world, "ada", "app")
    world.write(lambda work: revoke_consent(work, "usr_ada", "app", _act(world)))
    world.clock.now += 400 * 86_400
    while world.run(world.storage.expire(int(world.clock()))):
        pass
    world.write(lambda work: revoke_user(work, "usr_ada", _act(world)))
    receiver.renew()
    assert receiver.events() == []


def test_a_pairwise_client_is_told_by_the_name_that_it_knows(world: World) -> None:
    pairwise = Receiver(world, "app", login={"subject_type": "pairwise"})
    pairwise.create()
    user_of(world, "ada", "app")
    [grant] = world.read(lambda work: work.grants.of_user("usr_ada"))
    world.write(lambda work: revoke_user(work, "usr_ada", _act(world)))
    events = pairwise.events()
    assert events[1]["sub_id"] == {"format": "iss_sub", "iss": ISSUER, "sub": grant.subject}
    assert grant.subject != "usr_ada"
    assert "usr_ada" not in str(events)


def test_two_receivers_cannot_see_from_their_events_that_they_have_one_user(world: World) -> None:
    """Pairwise names would be worth nothing beside a common identifier."""
    receivers = [Receiver(world, name, login={"subject_type": "pairwise", "sector": name}) for name in ("app", "site")]
    for one in receivers:
        one.create()
    user_of(world, "ada", "app", "site")
    world.write(lambda work: revoke_user(work, "usr_ada", _act(world)))
    texts = [{text for claims in one.events() for text in _texts(claims["sub_id"], claims["jti"])} for one in receivers]
    shared = texts[0] & texts[1] - {"iss_sub", "complex", "opaque", ISSUER}
    # The session is known to both by their ID tokens (sid).
    assert all(text.startswith("ses_") for text in shared)


def _texts(*values: Any) -> Iterator[str]:
    for value in values:
        yield from _texts(*value.values()) if isinstance(value, dict) else (value,)


def test_what_was_not_asked_for_does_not_come(world: World) -> None:
    receiver = Receiver(world)
    receiver.create(events_requested=["https://schemas.openid.net/secevent/risc/event-type/account-disabled"])
    user_of(world, "ada", "app")
    world.write(lambda work: revoke_user(work, "usr_ada", _act(world)))
    assert names(receiver.events()) == ["account-disabled"]


def test_of_a_removed_user_nothing_comes_until_they_are_added_again(world: World, receiver: Receiver) -> None:
    user_of(world, "ada", "app")
    user_of(world, "bob", "app")
    assert receiver.post("/ssf/subjects/remove", subject=ADA).status == 204
    for name in ("usr_ada", "usr_bob"):
        world.write(lambda work, name=name: end_sessions_of(work, name, _act(world)))
    assert [one["sub_id"]["user"]["sub"] for one in receiver.events()] == ["usr_bob"]
    assert receiver.post("/ssf/subjects/add", subject={"format": "complex", "user": ADA}).status == 200
    world.write(lambda work: revoke_user(work, "usr_ada", _act(world)))
    assert [one["sub_id"].get("sub") for one in receiver.events()] == [None, "usr_ada"]


def test_an_act_that_fails_tells_nobody(world: World, receiver: Receiver) -> None:
    user_of(world, "ada", "app")

    async def fail(work: UnitOfWork) -> None:
        await revoke_user(work, "usr_ada", _act(world))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        world.write(fail)
    assert receiver.events() == []


def test_a_full_stream_is_paused_once_and_says_so(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "MAX_WAITING", 2)
    for name in ("ada", "bob", "cyd"):
        user_of(world, name, "app")
        world.write(lambda work, name=name: revoke_user(work, f"usr_{name}", _act(world)))
    status = receiver.call("GET", f"/ssf/status?stream_id={receiver.stream_id}").json
    assert status == {"stream_id": receiver.stream_id, "status": "paused", "reason": acts.FULL}
    [paused] = [row for row in world.audit() if row.tag == "signal_stream:paused"]
    assert (paused.actor, paused.target, paused.reason) == ("server", receiver.stream_id, acts.FULL)
    # That it is paused comes at once; what waits comes when the receiver wants it again.
    [told] = receiver.events()
    assert only(told) == ("stream-updated", {"status": "paused", "reason": acts.FULL})
    assert receiver.post("/ssf/status", status="enabled").status == 200
    assert names(receiver.events()) == ["session-revoked", "account-disabled", "stream-updated"]


def test_a_paused_stream_holds_its_events_and_says_when_it_loses_some(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "MAX_WAITING", 2)
    receiver.post("/ssf/status", status="paused")
    for name in ("ada", "bob"):
        user_of(world, name, "app")
        world.write(lambda work, name=name: revoke_user(work, f"usr_{name}", _act(world)))
    assert names(receiver.events()) == ["stream-updated"]
    # The receiver had paused it, so it may let it flow again.
    assert receiver.post("/ssf/status", status="enabled").status == 200
