"""Linking an account at a provider, and users who are made at their first sign-in through one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from ostiary.user_authentication import accounts
from tests.authorization_server.world import ISSUER
from tests.user_authentication.browser import Browser, Page, parallel
from tests.user_authentication.mail import delivered, with_email
from tests.user_authentication.provider import WORKS, ProviderWorld, come_back, start


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ProviderWorld]:
    """Ada and bob, who have linked nothing."""
    world = ProviderWorld(tmp_path)
    try:
        world.add_user("ada")
        world.add_user("bob")
        yield world
    finally:
        world.close()


@pytest.fixture
def creating(tmp_path: Path) -> Iterator[ProviderWorld]:
    """A world in which whoever comes from works gets an account."""
    world = ProviderWorld(tmp_path, create_users=True, scopes=("openid", "profile", "email"))
    try:
        world.add_user("ada", email="ada@example.com", email_verified=True)
        yield world
    finally:
        world.close()


def account_page(world: ProviderWorld, browser: Browser, username: str = "ada") -> Page:
    session_id = next(one.session_id for one in world.sessions(username))
    return browser.call("GET", f"{ISSUER}/account?account={session_id}")


def begun(world: ProviderWorld, username: str = "ada") -> tuple[Browser, dict[str, str]]:
    """The user is signed in and has gone to the provider to link their account there."""
    browser = Browser(world)
    browser.sign_in(username)
    return browser, start(browser, account_page(world, browser, username), "link-works")


def test_a_signed_in_user_links_and_then_signs_in_by_it(world: ProviderWorld) -> None:
    browser, asked = begun(world)
    page = come_back(browser, asked)
    session_id = world.sessions()[0].session_id
    assert page.header("location") == f"{ISSUER}/account?account={session_id}&done=upstream_added"
    (factor,) = world.factors(kind="upstream")
    assert (factor.lookup, factor.secret, factor.name) == (f"{WORKS} u1", b"", "Works")
    assert world.audited("factor:added")[-1].actor == f"user:{factor.user_id}"
    assert "link-works" not in account_page(world, browser).forms
    other = Browser(world)
    assert come_back(other, start(other)).header("location").startswith(f"{ISSUER}/continue")


def test_the_user_is_told_by_e_mail(world: ProviderWorld) -> None:
    user_id = world.user("ada").user_id
    world.write(
        lambda work: accounts.change_user(work, user_id, world.act(), email="ada@example.com", email_verified=True)
    )
    outbox = with_email(world)
    browser, asked = begun(world)
    delivered(world, outbox)
    come_back(browser, asked)
    (message,) = delivered(world, outbox)
    assert message["Subject"] == "New way to sign in to your account at Ostiary"


def test_a_link_that_one_begins_another_does_not_finish(world: ProviderWorld) -> None:
    """Attack 52: the attacker's answer in the victim's browser would link the attacker's identity to the victim."""
    _, asked = begun(world, "bob")
    victim, _ = begun(world, "ada")
    assert come_back(victim, asked).status == 400
    assert world.factors("ada", "upstream") == world.factors("bob", "upstream") == []


def test_a_link_is_not_finished_by_the_next_user_of_the_browser(world: ProviderWorld) -> None:
    browser, asked = begun(world, "bob")
    page = browser.open(f"{ISSUER}/sign-out")
    browser.send(page, "sign-out-form", decision="sign_out")
    browser.sign_in("ada")
    page = come_back(browser, asked)
    assert (page.status, world.audited("upstream:refused")[-1].reason) == (400, "session")
    assert world.factors("ada", "upstream") == world.factors("bob", "upstream") == []


def test_a_link_is_not_finished_after_the_sign_out(world: ProviderWorld) -> None:
    browser, asked = begun(world)
    browser.cookies.pop("__Host-ostiary-session")
    assert come_back(browser, asked).status == 400
    assert world.factors("ada", "upstream") == []


def test_only_who_has_just_signed_in_may_begin(world: ProviderWorld) -> None:
    browser = Browser(world)
    browser.sign_in()
    page = account_page(world, browser)
    world.clock.now += 601
    sent = browser.send(page, "link-works", follow=False)
    assert sent.header("location").startswith(f"{ISSUER}/sign-in")


def test_nobody_begins_without_the_page_of_their_account(world: ProviderWorld) -> None:
    browser = Browser(world)
    browser.sign_in()
    page = account_page(world, browser)
    page.forms["link-works"]["csrf"] = "forged"
    assert browser.send(page, "link-works", follow=False).status == 403
    assert browser.call("GET", page.actions["link-works"]).status == 405


def test_what_somebody_has_linked_nobody_else_links(world: ProviderWorld) -> None:
    first, asked = begun(world, "bob")
    come_back(first, asked)
    browser, asked = begun(world, "ada")
    page = come_back(browser, asked)
    assert (page.status, page.texts["message"].split(".")[0]) == (400, "It is linked to somebody else here")
    assert world.factors("ada", "upstream") == []


def test_an_answer_to_a_link_signs_nobody_in(world: ProviderWorld) -> None:
    first, asked = begun(world, "bob")
    come_back(first, asked)
    browser, asked = begun(world, "ada")
    come_back(browser, asked)
    assert len(world.sessions("bob")) == 1


def test_somebody_new_gets_an_account_where_the_settings_say_so(creating: ProviderWorld) -> None:
    browser = Browser(creating)
    page = come_back(browser, start(browser))
    assert page.header("location").startswith(f"{ISSUER}/continue")
    user = creating.user("grace")
    assert (user.email, user.email_verified) == ("ada@example.com", False), "the provider's word, and not confirmed"
    assert creating.works.requests[-1] == {"authorization": "Bearer upstream-access-token"}
    again = Browser(creating)
    come_back(again, start(again))
    assert len(creating.sessions("grace")) == 2


def test_somebody_new_takes_nobodys_name_and_nobodys_mail(creating: ProviderWorld) -> None:
    creating.works.userinfo = {"preferred_username": "ADA"}
    browser = Browser(creating)
    come_back(browser, start(browser))
    assert creating.sessions("ada") == []
    assert creating.factors("ada", "upstream") == []
    found = creating.read(lambda work: work.factors.by_lookup("upstream", f"{WORKS} u1"))
    made = creating.read(lambda work: work.users.get(found.user_id))
    assert made.username.startswith("user-")
    assert Browser(creating).sign_in("ada@example.com").status == 303, "the address still finds its owner"


@pytest.mark.parametrize("name", ["ada@example.com", "a", "<b>x</b>", "x" * 200, "adа"])
def test_a_name_that_could_be_taken_for_something_else_is_not_taken_over(creating: ProviderWorld, name: str) -> None:
    creating.works.userinfo = {"preferred_username": name}
    browser = Browser(creating)
    come_back(browser, start(browser))
    found = creating.read(lambda work: work.factors.by_lookup("upstream", f"{WORKS} u1"))
    assert creating.read(lambda work: work.users.get(found.user_id)).username.startswith("user-")


@pytest.mark.parametrize("sub", ["u2", None, ""])
def test_userinfo_about_somebody_else_is_refused(creating: ProviderWorld, sub: str | None) -> None:
    """OpenID Connect Core 5.3.2: it must be the subject of the ID token."""
    creating.works.userinfo = {"sub": sub}
    browser = Browser(creating)
    assert come_back(browser, start(browser)).status == 400
    row = creating.audited("upstream:refused")[-1]
    assert row.reason == "subject"
    assert (row.details, row.personal["expected"]) == ({"upstream": "works"}, "u1"), "who it is can be erased"
    assert creating.read(lambda work: work.factors.by_lookup("upstream", f"{WORKS} u1")) is None


def test_of_two_first_sign_ins_at_once_one_makes_the_user(creating: ProviderWorld) -> None:
    browsers = [Browser(creating) for _ in range(4)]
    works = creating.works
    urls = []
    for browser in browsers:
        asked = start(browser)
        urls.append(urlencode({"code": asked["nonce"], "state": asked["state"], "iss": WORKS}))
    works.nonce_is_code = True
    pages = parallel(
        creating,
        *(
            browser.request("GET", f"{ISSUER}/upstream/works/callback?{query}")
            for browser, query in zip(browsers, urls, strict=True)
        ),
    )
    assert {page.status for page in pages} == {303}
    users = [one for one in creating.read(lambda work: work.users.list()) if one.username != "ada"]
    assert len(users) == 1
