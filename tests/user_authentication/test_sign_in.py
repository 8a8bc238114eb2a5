"""Signing in by a password, as a browser does it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ostiary.authorization_server.browser import cookies, interaction
from ostiary.authorization_server.browser.cookies import BrowserSecrets
from ostiary.authorization_server.browser.interaction import Interaction
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.protocol import token_format
from ostiary.revocation import revoke_user
from tests.authorization_server.world import ISSUER
from tests.user_authentication.browser import PASSWORD, Browser, Page, PeopleWorld
from tests.user_authentication.mail import with_email

SESSION = "__Host-ostiary-session"
BROWSER = "__Host-ostiary-browser"


def secrets_of(browser: Browser) -> BrowserSecrets:
    return BrowserSecrets(browser.cookies.get(BROWSER, ""), browser.cookies.get(SESSION, ""))


def state_of(browser: Browser, page: Page) -> Interaction:
    """What the browser is in the middle of on this page, or where it is sent."""
    (sealed,) = parse_qs(urlsplit(page.header("location") or page.url).query)["interaction"]
    return interaction.unseal(browser.world.server, sealed, secrets_of(browser), browser.world.clock())


def url_of(browser: Browser, state: Interaction, path: str = "/sign-in") -> str:
    sealed = interaction.seal(browser.world.server, state, secrets_of(browser))
    return interaction.url(browser.world.server, path, sealed)


def test_a_user_signs_in_and_goes_on_with_a_session(world: PeopleWorld, browser: Browser) -> None:
    page = browser.sign_in()
    assert (page.status, page.header("location").split("?")[0]) == (303, f"{ISSUER}/continue")
    (session,) = world.sessions()
    state = state_of(browser, page)
    assert (state.session_id, state.signed_in_at) == (session.session_id, int(world.clock()))
    assert (state.user_id, state.amr) == ("", ())
    assert session.digest == token_format.digest(browser.cookies[SESSION])
    assert (session.amr, session.acr) == (("pwd",), "urn:ostiary:acr:one-factor")
    assert (session.address, session.device) == ("192.0.2.7", "Firefox on Linux")
    assert [row.target for row in world.audited("session:started")] == [session.session_id]


def test_the_session_cookie_is_out_of_reach_of_scripts_other_hosts_and_other_sites(browser: Browser) -> None:
    (told,) = [value for name, value in browser.sign_in().headers if name == "set-cookie"]
    name, *attributes = told.split("; ")
    assert name.startswith("__Host-ostiary-session=")
    assert set(attributes) == {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"}


def test_the_way_keeps_what_the_browser_was_in_the_middle_of(world: PeopleWorld, browser: Browser) -> None:
    browser.open(f"{ISSUER}/sign-in")
    before = Interaction(
        started_at=int(world.clock()), parameters={"client_id": "shop", "state": "x"}, resources=("https://a.example",)
    )
    after = state_of(browser, browser.sign_in(url=url_of(browser, before)))
    assert (after.parameters, after.resources) == (before.parameters, before.resources)


def test_the_name_that_an_application_hints_at_is_filled_in(world: PeopleWorld, browser: Browser) -> None:
    browser.open(f"{ISSUER}/sign-in")
    state = Interaction(started_at=int(world.clock()), parameters={"login_hint": '"><b>ada'})
    page = browser.open(url_of(browser, state))
    assert page.forms["sign-in-form"]["username"] == '"><b>ada'
    assert "<b>ada" not in page.html


def test_a_verified_address_is_as_good_as_the_name(world: PeopleWorld, browser: Browser) -> None:
    world.add_user("bob", email="bob@example.com", email_verified=True)
    assert browser.sign_in("Bob@Example.com").path == "/sign-in"
    assert world.sessions("bob")


@pytest.mark.parametrize("password", ["Glass-otter-minute", "glass-otter-minut", "glass-otter-minute ", "", "x" * 600])
def test_another_password_is_refused(world: PeopleWorld, browser: Browser, password: str) -> None:
    page = browser.sign_in(password=password)
    assert (page.status, page.texts["problem"]) == (
        400,
        "That is not right. Check the username and the password, and try again.",
    )
    assert page.forms["sign-in-form"]["username"] == "ada"
    assert "password" in page.forms["sign-in-form"]
    assert page.forms["sign-in-form"]["password"] == ""
    assert not world.sessions()
    (row,) = world.audited("sign_in:refused")
    assert (row.target, row.reason, row.outcome) == (world.user("ada").user_id, "password", "refused")


def _refusal(browser: Browser, username: str, password: str = "another-password") -> tuple[int, str]:
    page = browser.sign_in(username, password)
    html = page.html.replace(username, "NAME")
    for form in page.forms.values():
        html = html.replace(form["csrf"], "CSRF")
    html = re.sub(r'data-get="[^"]*"', "", html)
    return page.status, html.replace(page.actions["sign-in-form"].replace("&", "&amp;"), "URL")


def test_nobody_without_a_password_and_disabled_are_told_what_a_wrong_password_is(world: PeopleWorld) -> None:
    world.add_user("lovelace", password=None)
    gone = world.add_user("gone")
    world.write(lambda work: revoke_user(work, gone.user_id, world.act()))
    wrong = _refusal(Browser(world), "ada")
    assert _refusal(Browser(world), "nobody") == wrong
    assert _refusal(Browser(world), "lovelace") == wrong
    assert _refusal(Browser(world), "gone", PASSWORD) == wrong
    reasons = [(row.target, row.reason) for row in world.audited("sign_in:refused")]
    assert reasons[1] == ("", "password")
    assert reasons[3] == (gone.user_id, "account")
    assert not world.sessions("gone")


def test_a_form_from_elsewhere_is_refused(world: PeopleWorld, browser: Browser) -> None:
    page = browser.open(f"{ISSUER}/sign-in")
    stranger = Browser(world)
    strange = stranger.open(f"{ISSUER}/sign-in").forms["sign-in-form"]["csrf"]
    for csrf in ("", "x", strange):
        refused = browser.send(page, "sign-in-form", username="ada", password=PASSWORD, csrf=csrf)
        assert refused.status == 403
    body = f"csrf={page.forms['sign-in-form']['csrf']}&username=ada&password={PASSWORD}"
    assert browser.call("POST", page.url, body, origin="https://evil.example").status == 403
    assert browser.call("POST", page.url, body, **{"sec-fetch-site": "cross-site"}).status == 403
    assert browser.call("POST", page.url, body, origin=ISSUER, **{"sec-fetch-site": "same-origin"}).status == 303


@pytest.mark.parametrize("username", ["<script>alert(1)</script>", "x" * 10_000, "\ud7ff", "%00"[:1], "' OR 1=1 --"])
def test_any_name_is_only_a_name(world: PeopleWorld, browser: Browser, username: str) -> None:
    page = browser.sign_in(username)
    assert page.status == 400
    assert "<script>" not in page.html


def test_every_field_twice_missing_or_of_another_kind_is_a_refusal_and_no_fault(browser: Browser) -> None:
    page = browser.open(f"{ISSUER}/sign-in")
    csrf = page.forms["sign-in-form"]["csrf"]
    for body in (f"csrf={csrf}", f"csrf={csrf}&username=a&username=b", f"csrf={csrf}&username=%ff", "%", ""):
        assert browser.call("POST", page.url, body).status in (400, 403)
    assert browser.call("POST", page.url, "{}", **{"content-type": "application/json"}).status == 400
    for query in ("interaction=x", "interaction=a&interaction=b", "interaction=%ff", "interaction="):
        assert browser.call("GET", f"{ISSUER}/sign-in?{query}").status in (303, 400)


def test_a_page_older_than_an_hour_has_expired(world: PeopleWorld, browser: Browser) -> None:
    page = browser.open(f"{ISSUER}/sign-in")
    world.clock.now += 3601
    assert browser.send(page, "sign-in-form", username="ada", password=PASSWORD).status == 400
    assert not world.sessions()


def test_after_the_back_button_the_form_signs_in_once_more(world: PeopleWorld, browser: Browser) -> None:
    page = browser.open(f"{ISSUER}/sign-in")
    browser.send(page, "sign-in-form", username="ada", password=PASSWORD)
    (first,) = world.sessions()
    old = browser.cookies[SESSION]
    again = browser.send(page, "sign-in-form", username="ada", password=PASSWORD)
    assert again.status == 303
    (second,) = world.sessions()
    assert second.session_id == first.session_id == state_of(browser, again).session_id
    assert browser.cookies[SESSION] != old
    assert second.digest == token_format.digest(browser.cookies[SESSION])


def test_two_tabs_each_go_their_own_way(world: PeopleWorld, browser: Browser) -> None:
    browser.open(f"{ISSUER}/sign-in")
    tabs = [Interaction(started_at=int(world.clock()), parameters={"state": name}) for name in ("one", "two")]
    pages = [browser.open(url_of(browser, tab)) for tab in tabs]
    for page, tab in zip(pages, tabs, strict=True):
        done = browser.send(page, "sign-in-form", username="ada", password=PASSWORD)
        assert state_of(browser, done).parameters == tab.parameters
    assert len(world.sessions()) == 1


def test_two_people_share_a_browser(world: PeopleWorld, browser: Browser) -> None:
    world.add_user("bob")
    browser.sign_in("ada")
    browser.sign_in("bob")
    digest = token_format.digest(browser.cookies[SESSION])
    assert [one.digest for one in world.sessions("ada") + world.sessions("bob")] == [digest, digest]


def news(world: PeopleWorld) -> list[Any]:
    found: list[Any] = world.read(lambda work: work.deliveries.due(now=int(world.clock())))
    return found


def test_a_user_is_told_of_a_browser_that_is_new_and_only_then(world: PeopleWorld, browser: Browser) -> None:
    with_email(world)
    world.add_user("bob", email="bob@example.com", email_verified=True)
    browser.sign_in("bob")
    browser.sign_in("bob")
    (told,) = news(world)
    opened = world.server.seals.open("delivery", told.payload, context=told.delivery_id.encode())
    assert b'"to":"bob@example.com","template":"new_browser"' in opened
    assert b"bob@" not in told.payload
    Browser(world).sign_in("bob")
    assert len(news(world)) == 2


def test_nothing_is_sent_to_an_address_that_is_not_verified(world: PeopleWorld, browser: Browser) -> None:
    world.add_user("bob", email="bob@example.com")
    browser.sign_in("bob")
    assert news(world) == []


@pytest.fixture
def meanwhile(world: PeopleWorld, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Something that happens after a password was verified and before the session begins."""

    def arrange(act: Any) -> None:
        original = cookies.new_secret

        async def late(server: AuthorizationServer, kind: str) -> str:
            if kind == token_format.SESSION:
                async with world.storage.write() as work:
                    await act(work)
            return await original(server, kind)

        monkeypatch.setattr(cookies, "new_secret", late)

    return arrange


def test_a_user_disabled_while_their_password_is_hashed_does_not_get_in(
    world: PeopleWorld, browser: Browser, meanwhile: Callable[[Any], None]
) -> None:
    ada = world.user("ada")
    meanwhile(lambda work: revoke_user(work, ada.user_id, world.act()))
    assert browser.sign_in().status == 400
    assert not world.sessions()


def test_a_password_changed_while_the_old_one_is_hashed_lets_nobody_in(
    world: PeopleWorld, browser: Browser, meanwhile: Callable[[Any], None]
) -> None:
    (factor,) = world.factors()
    meanwhile(lambda work: work.factors.set_secret(factor.factor_id, b"$argon2id$another"))
    assert browser.sign_in().status == 400
    assert not world.sessions()
