"""The account page: each acts on what is their own, in this browser, after a recent sign-in where it matters."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode, urlsplit

import pyotp
import pytest

from ostiary.audit import tags
from ostiary.authorization_server.endpoints.account.recovery_codes import LIFE
from ostiary.authorization_server.endpoints.account.visit import RECENT
from ostiary.model.consent import Consent
from ostiary.model.grant import Grant
from ostiary.user_authentication.accounts import add_factor, new_factor
from tests.authorization_server.world import ISSUER, ORDERS
from tests.user_authentication.browser import PASSWORD, Browser, Page, PeopleWorld

ACCOUNT = f"{ISSUER}/account"
PATH = "/account"
NEW = "copper-lantern-seven-rivers"


@pytest.fixture
def signed_in(world: PeopleWorld, browser: Browser) -> Browser:
    """Ada's browser."""
    browser.sign_in()
    assert len(world.sessions()) == 1
    return browser


def account(browser: Browser) -> Page:
    page = browser.open(ACCOUNT)
    assert page.status == 200, page.html
    return page


def refused(world: PeopleWorld, browser: Browser, page: Page) -> bool:
    """Whether a request led to the sign-in."""
    return page.status == 303 and urlsplit(page.header("location")).path == "/sign-in"


def submit(browser: Browser, page: Page, form: str, **fields: str) -> Page:
    """What the form is answered with."""
    return browser.send(page, form, follow=False, **fields)


def post(browser: Browser, url: str, form: dict[str, str], **headers: str) -> Page:
    return browser.call("POST", url, urlencode(form), **headers)


def session_of(page: Page) -> str:
    return page.actions["sessions-form"].rpartition("account=")[2]


# -- who may see it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "/password", "/totp", "/recovery-codes"])
def test_nobody_sees_it_without_signing_in(browser: Browser, path: str) -> None:
    page = browser.open(ACCOUNT + path)
    assert page.path == "/sign-in"
    assert "sign-in-form" in page.forms


def test_it_shows_where_its_user_is_signed_in_and_by_what(signed_in: Browser) -> None:
    page = account(signed_in)
    assert page.texts["account-name"] == "ada"
    assert "Firefox on Linux" in page.html
    assert "This device" in page.html
    assert page.html.count('name="session_id"') == 1
    assert "Password" in page.texts["factors-heading"] + page.html


def test_a_page_of_an_ended_session_shows_nothing(world: PeopleWorld, signed_in: Browser) -> None:
    world.clock.now += world.settings.sign_in.session_idle + 1
    assert signed_in.open(ACCOUNT).path == "/sign-in"


def test_looking_keeps_the_session_alive(world: PeopleWorld, signed_in: Browser) -> None:
    before = world.sessions()[0].idle_until
    world.clock.now += 120
    account(signed_in)
    assert world.sessions()[0].idle_until == before + 120


def test_what_was_done_is_said_by_a_known_word_only(signed_in: Browser) -> None:
    page = signed_in.open(f"{ACCOUNT}?done=session_ended")
    assert "That device is signed out." in page.html
    assert signed_in.open(f"{ACCOUNT}?done=nothing_known").status == 200
    assert signed_in.open(f"{ACCOUNT}?done=%3Cb%3E").status == 200


# -- every act --------------------------------------------------------------------------------------------------------

ACTS = {
    "/sessions": {"session_id": "others"},
    "/factors": {"factor_id": "fac_1"},
    "/applications": {"client_id": "shop"},
    "/password": {"current": PASSWORD, "password": NEW},
    "/totp": {"enrolment": "sealed", "code": "000000"},
    "/recovery-codes": {"codes": "sealed", "kept": "yes"},
}


@pytest.mark.parametrize("path", ACTS)
def test_an_act_wants_the_token_of_its_form(world: PeopleWorld, signed_in: Browser, path: str) -> None:
    """ASVS 3.5.1."""
    session_id = session_of(account(signed_in))
    page = post(signed_in, f"{ACCOUNT}{path}?account={session_id}", ACTS[path] | {"csrf": "forged"})
    assert page.status == 403
    assert_nothing_happened(world)


@pytest.mark.parametrize("path", ACTS)
def test_an_act_from_another_site_is_refused(world: PeopleWorld, signed_in: Browser, path: str) -> None:
    page = account(signed_in)
    form = ACTS[path] | {"csrf": page.forms["sessions-form"]["csrf"]}
    url = f"{ACCOUNT}{path}?account={session_of(page)}"
    assert post(signed_in, url, form, **{"sec-fetch-site": "cross-site"}).status == 403
    assert post(signed_in, url, form, origin="https://evil.example").status == 403
    assert_nothing_happened(world)


@pytest.mark.parametrize("path", ACTS)
@pytest.mark.parametrize("named", ["", "?account=ses_00000000000000000000000000000000"])
def test_an_act_for_an_account_that_is_not_here_does_nothing(
    world: PeopleWorld, signed_in: Browser, path: str, named: str
) -> None:
    form = ACTS[path] | {"csrf": account(signed_in).forms["sessions-form"]["csrf"]}
    page = post(signed_in, f"{ACCOUNT}{path}{named}", form)
    assert (page.status, urlsplit(page.header("location")).path) == (303, PATH)
    assert_nothing_happened(world)


@pytest.mark.parametrize("path", ["/factors", "/password", "/totp", "/recovery-codes"])
def test_a_factor_is_changed_by_somebody_who_has_just_signed_in_only(
    world: PeopleWorld, signed_in: Browser, path: str
) -> None:
    """ASVS 7.5.1."""
    page = account(signed_in)
    form = ACTS[path] | {"csrf": page.forms["sessions-form"]["csrf"]}
    world.clock.now += RECENT
    answer = post(signed_in, f"{ACCOUNT}{path}?account={session_of(page)}", form)
    assert refused(world, signed_in, answer)
    assert_nothing_happened(world)


def assert_nothing_happened(world: PeopleWorld) -> None:
    assert len(world.sessions()) == 1
    assert len(world.factors()) == 1
    for tag in (tags.SESSION_ENDED, tags.FACTOR_REMOVED, tags.FACTOR_CHANGED, tags.CONSENT_REVOKED):
        assert world.audited(tag) == []


# -- sessions ---------------------------------------------------------------------------------------------------------


def test_one_session_is_ended_and_the_others_stay(world: PeopleWorld, signed_in: Browser) -> None:
    phone = Browser(world)
    phone.sign_in()
    page = account(signed_in)
    here = session_of(page)
    there = next(one.session_id for one in world.sessions() if one.session_id != here)
    page = submit(signed_in, page, "sessions-form", session_id=there)
    page = follow(signed_in, page)
    assert [one.session_id for one in world.sessions()] == [here]
    assert "That device is signed out." in page.html
    assert phone.open(ACCOUNT).path == "/sign-in"
    event = world.audited(tags.SESSION_ENDED)[0]
    assert (event.actor, event.target) == (f"user:{world.user('ada').user_id}", there)


def test_all_others_are_ended_at_once(world: PeopleWorld, signed_in: Browser) -> None:
    here = session_of(account(signed_in))
    for _ in range(2):
        Browser(world).sign_in()
    submit(signed_in, account(signed_in), "sessions-form", session_id="others")
    assert [one.session_id for one in world.sessions()] == [here]


def test_ending_its_own_session_signs_the_browser_out(world: PeopleWorld, signed_in: Browser) -> None:
    page = account(signed_in)
    submit(signed_in, page, "sessions-form", session_id=session_of(page))
    assert world.sessions() == []
    assert [name for name in signed_in.cookies if "session" in name] == []


def test_the_session_of_somebody_else_is_not_ended(world: PeopleWorld, signed_in: Browser) -> None:
    world.add_user("grace")
    Browser(world).sign_in("grace")
    theirs = world.sessions("grace")[0].session_id
    submit(signed_in, account(signed_in), "sessions-form", session_id=theirs)
    assert [one.session_id for one in world.sessions("grace")] == [theirs]
    assert world.audited(tags.SESSION_ENDED) == []


# -- several accounts in one browser ----------------------------------------------------------------------------------


def test_each_account_of_a_browser_has_its_own_page(world: PeopleWorld, signed_in: Browser) -> None:
    world.add_user("grace")
    world.clock.now += 1
    signed_in.sign_in("grace")
    page = account(signed_in)
    assert page.texts["account-name"] == "grace"
    adas = world.sessions("ada")[0].session_id
    assert f"account={adas}" in page.html
    page = signed_in.open(f"{ACCOUNT}?account={adas}")
    assert page.texts["account-name"] == "ada"
    assert session_of(page) == adas
    submit(signed_in, page, "sessions-form", session_id=adas)
    assert world.sessions("ada") == []
    assert account(signed_in).texts["account-name"] == "grace"


# -- factors ----------------------------------------------------------------------------------------------------------


def add_passkey(world: PeopleWorld) -> str:
    factor = new_factor(world.user("ada").user_id, "passkey", "phone", b"key", world.clock())
    world.write(lambda work: add_factor(work, factor, world.act()))
    return factor.factor_id


def test_a_factor_is_removed_and_the_rest_offered_to_end(world: PeopleWorld, signed_in: Browser) -> None:
    passkey = add_passkey(world)
    Browser(world).sign_in()
    page = follow(signed_in, submit(signed_in, account(signed_in), f"remove-{passkey}", factor_id=passkey))
    assert [one.kind for one in world.factors()] == ["password"]
    assert "offer-ending-form" in page.forms
    submit(signed_in, page, "offer-ending-form", session_id="others")
    assert len(world.sessions()) == 1
    assert world.audited(tags.FACTOR_REMOVED)[0].actor == f"user:{world.user('ada').user_id}"


def test_the_last_way_to_sign_in_is_not_removed(world: PeopleWorld, signed_in: Browser) -> None:
    page = account(signed_in)
    password = world.factors()[0].factor_id
    assert f"remove-{password}" not in page.forms
    form = {"csrf": page.forms["sessions-form"]["csrf"], "factor_id": password}
    page = post(signed_in, f"{ACCOUNT}/factors?account={session_of(page)}", form)
    assert page.status == 400
    assert "This is the last way to sign in" in page.html
    assert len(world.factors()) == 1


def test_the_factor_of_somebody_else_is_not_removed(world: PeopleWorld, signed_in: Browser) -> None:
    add_passkey(world)
    world.add_user("grace")
    theirs = world.factors("grace")[0].factor_id
    page = account(signed_in)
    form = {"csrf": page.forms["sessions-form"]["csrf"], "factor_id": theirs}
    post(signed_in, f"{ACCOUNT}/factors?account={session_of(page)}", form)
    assert len(world.factors("grace")) == 1


# -- the password -----------------------------------------------------------------------------------------------------


def change_password(browser: Browser, current: str, new: str) -> Page:
    page = browser.open(f"{ACCOUNT}/password?account={session_of(account(browser))}")
    assert "password-form" in page.forms
    return submit(browser, page, "password-form", current=current, password=new)


def test_the_password_is_changed_by_whoever_knows_the_present_one(world: PeopleWorld, signed_in: Browser) -> None:
    """ASVS 6.2.3."""
    page = follow(signed_in, change_password(signed_in, PASSWORD, NEW))
    assert "The new password is saved." in page.html
    assert "offer-ending-form" not in page.forms
    stranger = Browser(world)
    assert stranger.sign_in(password=PASSWORD).status == 400
    assert stranger.sign_in(password=NEW).status == 303


@pytest.mark.parametrize(
    ("current", "new", "told"),
    [
        ("not-the-password", NEW, "The present password is not right."),
        ("", NEW, "The present password is not right."),
        (PASSWORD, "short", "This password is too easy to guess or too short."),
        (PASSWORD, "", "This password is too easy to guess or too short."),
        (PASSWORD, "password1234", "This password is too easy to guess or too short."),
    ],
)
def test_an_unfit_change_is_refused(world: PeopleWorld, signed_in: Browser, current: str, new: str, told: str) -> None:
    before = world.factors()[0].secret
    page = change_password(signed_in, current, new)
    assert page.status == 400
    assert told in page.html
    assert world.factors()[0].secret == before


def test_guessing_the_present_password_is_slowed(world: PeopleWorld, signed_in: Browser) -> None:
    for _ in range(10):
        assert change_password(signed_in, "guess", NEW).status == 400
    assert len(world.audited(tags.SIGN_IN_REFUSED)) == 10
    page = change_password(signed_in, PASSWORD, NEW)
    assert (page.status, page.header("retry-after")) == (429, "900")
    assert page.header("cross-origin-opener-policy") == "same-origin"
    assert "Try again in 15 min." in page.html


def test_neither_password_stands_in_a_page_a_url_or_the_audit_log(world: PeopleWorld, signed_in: Browser) -> None:
    for page in (change_password(signed_in, PASSWORD, "short"), change_password(signed_in, PASSWORD, NEW)):
        assert PASSWORD not in page.html + str(page.headers)
        assert NEW not in page.html + str(page.headers)
    assert NEW not in str(world.audit())


# -- codes ------------------------------------------------------------------------------------------------------------


def open_page(browser: Browser, path: str) -> Page:
    page = browser.open(f"{ACCOUNT}{path}?account={session_of(account(browser))}")
    assert page.status == 200, page.html
    return page


def code_now(world: PeopleWorld, page: Page) -> str:
    key = page.texts["totp-key"].replace(" ", "")
    return pyotp.TOTP(key).at(int(world.clock()))


def add_totp(world: PeopleWorld, browser: Browser) -> Page:
    page = open_page(browser, "/totp")
    return submit(browser, page, "totp-form", code=code_now(world, page), name="My phone")


def test_an_authenticator_is_added_by_whoever_has_its_code(world: PeopleWorld, signed_in: Browser) -> None:
    page = follow(signed_in, add_totp(world, signed_in))
    assert "The authenticator app is added." in page.html
    assert "My phone" in page.html
    assert {one.kind for one in world.factors()} == {"password", "totp"}
    world.clock.now += 60
    assert Browser(world).sign_in().path == "/sign-in/second-factor"


def test_an_authenticator_has_a_name_that_can_be_seen(world: PeopleWorld, signed_in: Browser) -> None:
    page = open_page(signed_in, "/totp")
    name = " My\u200b\u202ephone " + "x" * 100
    submit(signed_in, page, "totp-form", code=code_now(world, page), name=name)
    [factor] = world.factors(kind="totp")
    assert factor.name == "Myphone " + "x" * 52


def test_a_wrong_code_adds_nothing_and_shows_the_same_key(world: PeopleWorld, signed_in: Browser) -> None:
    page = open_page(signed_in, "/totp")
    again = submit(signed_in, page, "totp-form", code="12345")
    assert (again.status, again.texts["totp-key"]) == (400, page.texts["totp-key"])
    assert "This code is not right, or it was used already." in again.html
    assert len(world.factors()) == 1


def test_an_authenticator_that_is_sent_twice_is_added_once(world: PeopleWorld, signed_in: Browser) -> None:
    page = open_page(signed_in, "/totp")
    for _ in range(2):
        assert submit(signed_in, page, "totp-form", code=code_now(world, page)).status == 303
    assert len(world.factors(kind="totp")) == 1


def test_recovery_codes_are_kept_when_their_user_has_them(world: PeopleWorld, signed_in: Browser) -> None:
    add_totp(world, signed_in)
    page = open_page(signed_in, "/recovery-codes")
    assert world.factors(kind="recovery_code") == []
    assert submit(signed_in, page, "recovery-codes-form").status == 400
    assert world.factors(kind="recovery_code") == []
    page = follow(signed_in, submit(signed_in, page, "recovery-codes-form", kept="yes"))
    assert page.texts["codes-left"] == "10 left"
    codes = re.findall(r"<li>([0-9a-z-]{19})</li>", open_page(signed_in, "/recovery-codes").html)
    assert len(codes) == 10
    assert not any(code in str(world.audit()) for code in codes)


def test_the_codes_that_were_shown_sign_in_once_and_a_page_sent_again_brings_none_back(
    world: PeopleWorld, signed_in: Browser
) -> None:
    add_totp(world, signed_in)
    page = open_page(signed_in, "/recovery-codes")
    code = re.findall(r"<li>([0-9a-z-]{19})</li>", page.html)[0]
    submit(signed_in, page, "recovery-codes-form", kept="yes")
    phone = Browser(world)
    assert phone.send(phone.sign_in(), "recovery-code-form", recovery_code=code).status == 303
    assert submit(signed_in, page, "recovery-codes-form", kept="yes").status == 303
    assert len(world.factors(kind="recovery_code")) == 9


def test_codes_that_were_shown_to_somebody_else_are_not_kept(world: PeopleWorld, signed_in: Browser) -> None:
    theirs = open_page(signed_in, "/recovery-codes").forms["recovery-codes-form"]["codes"]
    world.add_user("grace")
    other = Browser(world)
    other.sign_in("grace")
    page = open_page(other, "/recovery-codes")
    assert submit(other, page, "recovery-codes-form", kept="yes", codes=theirs).status == 400
    assert world.factors("grace", kind="recovery_code") == []


def test_codes_that_were_shown_long_ago_are_not_kept(world: PeopleWorld, signed_in: Browser) -> None:
    world.clock.now -= 2
    page = open_page(signed_in, "/recovery-codes")
    world.clock.now += LIFE + 1
    signed_in.sign_in()
    sealed = page.forms["recovery-codes-form"]["codes"]
    page = open_page(signed_in, "/recovery-codes")
    assert submit(signed_in, page, "recovery-codes-form", kept="yes", codes=sealed).status == 400
    assert world.factors(kind="recovery_code") == []


# -- applications -----------------------------------------------------------------------------------------------------


@pytest.fixture
def allowed(world: PeopleWorld, signed_in: Browser) -> Grant:
    """Ada has allowed the shop to read her orders."""
    world.add_api(ORDERS)
    world.add_client("shop", name="The Shop")
    user_id, now = world.user("ada").user_id, int(world.clock())
    scopes: dict[str, tuple[str, ...]] = {"": ("openid",), ORDERS: ("orders:read",)}
    grant = Grant("gr_ada", "shop", user_id, "authorization_code", now, None, None, user_id, "", scopes)

    async def act(work: Any) -> None:
        for resource, names in scopes.items():
            await work.consents.put(Consent(user_id, "shop", resource, names, now, now))
        await work.grants.add(grant)

    world.write(act)
    return grant


def test_applications_are_shown_in_words(signed_in: Browser, allowed: Grant) -> None:
    page = account(signed_in)
    for words in ("The Shop", "Know who you are", "orders"):
        assert words in page.html


def test_an_application_of_the_operators_own_is_shown_without_consent(
    world: PeopleWorld, signed_in: Browser, allowed: Grant
) -> None:
    user_id = world.user("ada").user_id
    world.write(lambda work: work.consents.remove(user_id, "shop"))
    assert "revoke-shop" in account(signed_in).forms


def test_taking_back_ends_consent_and_grants(world: PeopleWorld, signed_in: Browser, allowed: Grant) -> None:
    page = follow(signed_in, submit(signed_in, account(signed_in), "revoke-shop", client_id="shop"))
    assert "can no longer act for you" in page.html
    user_id = world.user("ada").user_id
    assert world.read(lambda work: work.consents.of_user(user_id)) == []
    assert world.read(lambda work: work.grants.get("gr_ada")).ended_at is not None
    assert world.audited(tags.CONSENT_REVOKED)[0].actor == f"user:{user_id}"


def test_what_was_never_allowed_is_not_taken_back(world: PeopleWorld, signed_in: Browser, allowed: Grant) -> None:
    page = account(signed_in)
    form = {"csrf": page.forms["sessions-form"]["csrf"], "client_id": "other"}
    answer = post(signed_in, f"{ACCOUNT}/applications?account={session_of(page)}", form)
    assert (answer.status, "done=" in answer.header("location")) == (303, False)
    assert world.audited(tags.CONSENT_REVOKED) == []


def follow(browser: Browser, page: Page) -> Page:
    """Where a 303 leads."""
    assert page.status == 303, page.html
    return browser.open(page.header("location"))
