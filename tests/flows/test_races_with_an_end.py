"""What ends between the look at it and the transaction that rests on it: refused, and nothing is written."""

from __future__ import annotations

from typing import Any

import pytest

from ostiary.audit import tags
from ostiary.errors import VerificationError
from ostiary.model.user import User
from ostiary.revocation import Act, revoke_consent, revoke_session, revoke_user
from tests.authorization_server.applications import add_user, authorize_url, code_for, sign_in
from tests.authorization_server.browser import Browser, query_of
from tests.authorization_server.world import World


def _just_before_the_writing(world: World, monkeypatch: pytest.MonkeyPatch, end: Any) -> None:
    """Let ``end`` happen after a request has read, and before it writes."""
    write = world.storage.write

    def after_the_end() -> Any:
        monkeypatch.setattr(world.storage, "write", write)
        return _Ended(write, end)

    monkeypatch.setattr(world.storage, "write", after_the_end)


class _Ended:
    def __init__(self, write: Any, end: Any) -> None:
        self._write, self._end = write, end

    async def __aenter__(self) -> Any:
        async with self._write() as work:
            await self._end(work)
        self._entered = self._write()
        return await self._entered.__aenter__()

    async def __aexit__(self, *raised: Any) -> Any:
        return await self._entered.__aexit__(*raised)


@pytest.mark.parametrize("kind", ["session", "account"])
def test_consent_of_somebody_who_is_no_longer_signed_in_is_not_kept_and_the_application_is_told(
    world: World, browser: Browser, ada: User, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    session = sign_in(browser, ada)
    browser.get(authorize_url())
    act = Act("cli", world.clock())
    end = (
        (lambda work: revoke_session(work, session.session_id, act))
        if kind == "session"
        else (lambda work: revoke_user(work, ada.user_id, act))
    )
    _just_before_the_writing(world, monkeypatch, end)
    answer = browser.submit("consent-form", decision="allow")
    assert query_of(answer)["error"] == "login_required"
    assert world.read(lambda work: work.consents.of_user(ada.user_id)) == []
    assert tags.CONSENT_GIVEN not in [row.tag for row in world.audit()]


def test_no_code_rests_on_a_consent_that_was_taken_back_at_that_moment(
    world: World, browser: Browser, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(browser, ada)
    code_for(browser)
    act = Act(f"user:{ada.user_id}", world.clock())
    _just_before_the_writing(world, monkeypatch, lambda work: revoke_consent(work, ada.user_id, "app", act))
    assert query_of(browser.get(authorize_url()))["error"] == "consent_required"
    assert world.read(lambda work: work.grants.standing_of_user(ada.user_id)) == []


def test_a_session_that_was_ended_is_not_stepped_up_and_the_other_accounts_stay(
    world: World, browser: Browser, ada: User
) -> None:
    """Its password was proved in a session that somebody has ended; a second factor alone begins none."""
    session = sign_in(browser, ada)
    bob = add_user(world, "bob")
    sign_in(browser, bob)
    world.write(lambda work: revoke_session(work, session.session_id, Act("cli", world.clock())))
    kept = dict(browser.cookies)
    with pytest.raises(VerificationError, match="sign-in has ended"):
        sign_in(browser, ada, ("otp",), step_up=True)
    assert browser.cookies == kept
    assert world.read(lambda work: work.sessions.of_user(ada.user_id)) == []
    browser.get(authorize_url())
    assert b"bob" in browser.page.body  # type: ignore[union-attr]


def test_a_step_up_puts_the_absolute_end_of_its_session_not_off(world: World, browser: Browser, ada: User) -> None:
    """ASVS 7.3.2: that takes a whole sign-in."""
    first = sign_in(browser, ada)
    world.clock.now += 3600
    assert sign_in(browser, ada, ("otp",), step_up=True).expires_at == first.expires_at
    assert sign_in(browser, ada).expires_at == first.expires_at + 3600
