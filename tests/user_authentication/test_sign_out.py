"""Signing out: of everything in this browser, or of one account."""

from __future__ import annotations

from tests.authorization_server.world import ISSUER
from tests.user_authentication.browser import Browser, PeopleWorld
from tests.user_authentication.test_sign_in import SESSION

SIGN_OUT = f"{ISSUER}/sign-out"


def test_a_person_is_asked_before_they_are_signed_out(world: PeopleWorld, browser: Browser) -> None:
    browser.sign_in()
    page = browser.open(SIGN_OUT)
    assert "sign-out-form" in page.forms
    assert world.sessions()
    done = browser.send(page, "sign-out-form")
    assert (done.status, "signed-out" in done.texts) == (200, True)
    assert not world.sessions()
    assert SESSION not in browser.cookies
    (row,) = world.audited("session:ended")
    assert (row.actor, row.reason) == (f"user:{world.user('ada').user_id}", "signed out")


def test_the_old_session_secret_opens_nothing_afterwards(world: PeopleWorld, browser: Browser) -> None:
    browser.sign_in()
    kept = dict(browser.cookies)
    browser.send(browser.open(SIGN_OUT), "sign-out-form")
    browser.cookies = kept
    assert "signed-out" in browser.open(SIGN_OUT).texts


def test_one_of_two_accounts_is_signed_out(world: PeopleWorld, browser: Browser) -> None:
    world.add_user("bob")
    browser.sign_in("ada")
    browser.sign_in("bob")
    (bobs,) = world.sessions("bob")
    page = browser.open(SIGN_OUT)
    assert "accounts" in page.html
    left = browser.send(page, f"sign-out-{bobs.session_id}", session_id=bobs.session_id)
    assert "sign-out-form" in left.forms
    assert SESSION in browser.cookies
    assert (len(world.sessions("ada")), len(world.sessions("bob"))) == (1, 0)


def test_all_accounts_of_the_browser_are_signed_out_and_no_other_browser_is(world: PeopleWorld) -> None:
    world.add_user("bob")
    first, second = Browser(world), Browser(world)
    first.sign_in("ada")
    first.sign_in("bob")
    second.sign_in("ada")
    first.send(first.open(SIGN_OUT), "sign-out-form")
    assert (len(world.sessions("ada")), len(world.sessions("bob"))) == (1, 0)


def test_a_session_of_another_browser_is_not_ended(world: PeopleWorld, browser: Browser) -> None:
    world.add_user("bob")
    Browser(world).sign_in("bob")
    (bobs,) = world.sessions("bob")
    browser.sign_in("ada")
    browser.send(browser.open(SIGN_OUT), "sign-out-form", session_id=bobs.session_id)
    assert world.sessions("bob") == [bobs]
    assert world.sessions("ada")


def test_nobody_is_signed_out_from_elsewhere(world: PeopleWorld, browser: Browser) -> None:
    browser.sign_in()
    assert browser.call("POST", SIGN_OUT, "csrf=x").status == 403
    csrf = browser.open(SIGN_OUT).forms["sign-out-form"]["csrf"]
    assert browser.call("POST", SIGN_OUT, f"csrf={csrf}", origin="https://evil.example").status == 403
    assert world.sessions()


def test_who_is_not_signed_in_is_told_so(world: PeopleWorld, browser: Browser) -> None:
    assert "signed-out" in browser.open(SIGN_OUT).texts
    assert browser.call("POST", SIGN_OUT, "").status == 403
