"""A forgotten password: the link, what it opens and what it does not, and that nobody learns who is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from ostiary.protocol import token_format
from ostiary.revocation import revoke_user
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication import accounts, email_links, password_reset
from tests.authorization_server.world import ISSUER
from tests.user_authentication.browser import PASSWORD, Browser, Page, PeopleWorld, parallel
from tests.user_authentication.mail import delivered, link_in, plain, with_email

NEW = "quiet-lantern-ridge-47"
EMAIL = "Ada@example.com"


@pytest.fixture
def outbox(world: PeopleWorld) -> Path:
    """Where the e-mail of the world goes; ada has a confirmed address."""
    folder = with_email(world)
    change(world, email=EMAIL, email_verified=True)
    return folder


def change(world: PeopleWorld, username: str = "ada", **changes: Any) -> None:
    user_id = world.user(username).user_id
    world.write(lambda work: accounts.change_user(work, user_id, world.act(), **changes))


def ask(browser: Browser, email: str = EMAIL) -> Page:
    return browser.send(browser.open(f"{ISSUER}/reset"), "reset-request-form", email=email)


def link_for(browser: Browser, outbox: Path, email: str = EMAIL) -> str:
    ask(browser, email)
    assert isinstance(browser.world, PeopleWorld)
    messages = [one for one in delivered(browser.world, outbox) if one["Subject"].startswith("New password")]
    (message,) = messages
    return link_in(message)


def reset(browser: Browser, link: str, password: str = NEW) -> Page:
    return browser.send(browser.open(link), "reset-form", password=password)


def test_a_user_sets_a_new_password_by_the_link_and_signs_in_with_it(
    world: PeopleWorld, browser: Browser, outbox: Path
) -> None:
    page = reset(browser, link_for(browser, outbox))
    assert (page.status, page.texts["message"]) == (200, "Sign in with the new password from now on.")
    assert browser.sign_in(password=PASSWORD).status == 400
    assert browser.sign_in(password=NEW).status == 303
    assert [row.details["kind"] for row in world.audited("email_link:made")] == ["password_reset"]
    assert world.audited("factor:changed")[-1].reason == "reset by e-mail"


def test_a_reset_signs_nobody_in_and_ends_every_session(world: PeopleWorld, browser: Browser, outbox: Path) -> None:
    thief = Browser(world, address="198.51.100.9")
    thief.sign_in()
    assert len(world.sessions()) == 1
    reset(browser, link_for(browser, outbox))
    assert world.sessions() == []
    assert "__Host-ostiary-session" not in browser.cookies


def test_a_reset_does_not_get_past_the_second_factor(world: PeopleWorld, browser: Browser, outbox: Path) -> None:
    """ASVS 6.4.3."""
    user = world.user("ada")
    factor = accounts.new_factor(user.user_id, "totp", "", b"sealed", world.clock())
    world.write(lambda work: accounts.add_factor(work, factor, world.act()))
    reset(browser, link_for(browser, outbox))
    page = browser.sign_in(password=NEW)
    assert page.path == "/sign-in/second-factor"
    assert world.sessions() == []


def test_the_answer_is_the_same_whoever_is_asked_for(world: PeopleWorld, browser: Browser, outbox: Path) -> None:
    """ASVS 6.3.8: a request ends with the queue; whether there is an account is looked up after its answer."""
    world.add_user("bob", email="bob@example.com")
    seen = set()
    for email in (EMAIL, "bob@example.com", "nobody@example.com"):
        page = ask(browser, email)
        seen.add((page.status, page.texts["message"]))
    assert len(seen) == 1
    due = world.read(lambda work: work.deliveries.due(now=int(world.clock())))
    assert len(due) == 3, "each request queues one delivery"
    (message,) = delivered(world, outbox)
    assert message["To"] == EMAIL


def test_what_is_no_address_gets_the_same_answer_and_no_letter(
    world: PeopleWorld, browser: Browser, outbox: Path
) -> None:
    for email in ("", "ada", "ada@example.com\r\nBcc: eve@example.com", "a" * 300 + "@example.com", "<b>@x"):
        page = browser.send(browser.open(f"{ISSUER}/reset"), "reset-request-form", email=email.replace("\r\n", " "))
        assert page.texts["message"].startswith("If an account has this address")
    assert delivered(world, outbox) == []


def test_the_letter_goes_to_the_address_on_record_and_not_to_the_one_that_was_typed(
    world: PeopleWorld, browser: Browser, outbox: Path
) -> None:
    world.add_user("karl", email="karl@strasse.example", email_verified=True)
    ask(browser, "karl@straße.example")  # folds to the same
    (message,) = delivered(world, outbox)
    assert message["To"] == "karl@strasse.example"


def test_an_address_that_its_user_has_not_confirmed_gets_no_link(
    world: PeopleWorld, browser: Browser, outbox: Path
) -> None:
    change(world, email_verified=False)
    ask(browser)
    assert delivered(world, outbox) == []


def test_a_disabled_user_gets_no_link(world: PeopleWorld, browser: Browser, outbox: Path) -> None:
    user_id = world.user("ada").user_id
    world.write(lambda work: revoke_user(work, user_id, world.act()))
    ask(browser)
    assert delivered(world, outbox) == []


@pytest.mark.parametrize("kind", ["passkey", "upstream"])
def test_who_signs_in_by_something_stronger_gets_no_password_by_e_mail(
    world: PeopleWorld, browser: Browser, outbox: Path, kind: Any
) -> None:
    user = world.add_user("eve", password=None, email="eve@example.com", email_verified=True)
    factor = accounts.new_factor(user.user_id, kind, "", b"", world.clock())
    world.write(lambda work: accounts.add_factor(work, factor, world.act()))
    ask(browser, "eve@example.com")
    (message,) = delivered(world, outbox)
    assert "It has none" in plain(message)
    assert "token=" not in plain(message)


def test_opening_the_link_spends_nothing(browser: Browser, outbox: Path) -> None:
    """Mail scanners open links."""
    link = link_for(browser, outbox)
    for method in ("GET", "HEAD", "GET"):
        assert browser.call(method, link).status == 200
    assert reset(browser, link).status == 200


def test_the_page_of_the_link_tells_no_other_site_its_url(browser: Browser, outbox: Path) -> None:
    page = browser.open(link_for(browser, outbox))
    assert page.header("referrer-policy") == "same-origin"
    assert page.header("cache-control") == "no-store"


def test_the_secret_of_the_link_is_stored_nowhere(world: PeopleWorld, browser: Browser, outbox: Path) -> None:
    link = link_for(browser, outbox)
    (token,) = parse_qs(urlsplit(link).query)["token"]
    assert token_format.parse(token).kind == "el"
    for file in world.folder.glob("ostiary.db*"):
        assert token.encode() not in file.read_bytes()
    stored = world.read(lambda work: work.artifacts.get("password_reset", token_format.digest(token)))
    assert token not in stored.payload


def test_a_link_works_once(browser: Browser, outbox: Path) -> None:
    link = link_for(browser, outbox)
    page = browser.open(link)
    assert browser.send(page, "reset-form", password=NEW).status == 200
    again = browser.send(page, "reset-form", password="another-lantern-ridge-48")
    assert (again.status, again.texts["message"].split(",")[0]) == (400, "It was used already")
    assert browser.open(link).status == 400


def test_of_many_uses_at_once_one_wins(world: PeopleWorld, browser: Browser, outbox: Path) -> None:
    page = browser.open(link_for(browser, outbox))
    body = urlencode(page.forms["reset-form"] | {"password": NEW})
    pages = parallel(world, *(browser.request("POST", page.actions["reset-form"], body) for _ in range(20)))
    assert sorted(page.status for page in pages).count(200) == 1
    assert len(world.audited("factor:changed")) == 1


def test_a_link_ends_with_its_time(world: PeopleWorld, browser: Browser, outbox: Path) -> None:
    link = link_for(browser, outbox)
    page = browser.open(link)
    world.clock.now += email_links.LIFE
    assert browser.send(page, "reset-form", password=NEW).status == 400
    assert browser.open(link).status == 400


def test_a_changed_password_ends_every_link(world: PeopleWorld, browser: Browser, outbox: Path) -> None:
    first, second = link_for(browser, outbox), link_for(browser, outbox)
    assert reset(browser, first).status == 200
    assert browser.open(second).status == 400


def test_a_changed_address_ends_every_link(world: PeopleWorld, browser: Browser, outbox: Path) -> None:
    link = link_for(browser, outbox)
    change(world, email="new@example.com", email_verified=True)
    assert browser.open(link).status == 400


def test_a_disabled_account_ends_every_link(world: PeopleWorld, browser: Browser, outbox: Path) -> None:
    page = browser.open(link_for(browser, outbox))
    user_id = world.user("ada").user_id
    world.write(lambda work: revoke_user(work, user_id, world.act()))
    assert browser.send(page, "reset-form", password=NEW).status == 400


def test_a_link_of_another_kind_resets_nothing(world: PeopleWorld, browser: Browser, outbox: Path) -> None:
    token = world.run(email_links.new_token(world.server))
    user = world.user("ada")

    async def keep(work: UnitOfWork) -> None:
        factors = await work.factors.of_user(user.user_id)
        await email_links.keep(work, "email_verification", token, user, EMAIL, factors, world.act())

    world.write(keep)
    assert browser.open(email_links.url(world.server, password_reset.LINK_PATH, token)).status == 400


def test_a_weak_password_leaves_the_link_as_it_was(browser: Browser, outbox: Path) -> None:
    link = link_for(browser, outbox)
    page = reset(browser, link, "password123")
    assert (page.status, "too easy to guess" in page.texts["problem"]) == (400, True)
    assert browser.send(page, "reset-form", password=NEW).status == 200


def test_the_form_must_come_from_its_own_page(browser: Browser, outbox: Path) -> None:
    page = browser.open(link_for(browser, outbox))
    page.forms["reset-form"]["csrf"] = "forged"
    assert browser.send(page, "reset-form", password=NEW).status == 403


def test_a_mailbox_gets_few_letters_and_its_owner_has_a_live_link_all_the_same(
    world: PeopleWorld, outbox: Path
) -> None:
    """A flood from many networks cannot keep the owner of the mailbox out."""
    answers = [ask(Browser(world, address=f"198.51.{number}.1")) for number in range(8)]
    assert {page.texts["message"] for page in answers} == {answers[0].texts["message"]}
    messages = delivered(world, outbox)
    assert len(messages) == password_reset.ADDRESS_LIMIT
    world.clock.now += 899  # the end of the window
    owner = Browser(world)
    ask(owner)
    assert delivered(world, outbox) == []
    assert reset(owner, link_in(messages[0])).status == 200


def test_a_network_may_ask_so_often_and_is_told_when_again(world: PeopleWorld, outbox: Path) -> None:
    browser = Browser(world)
    for number in range(password_reset.NETWORK_LIMIT):
        assert ask(browser, f"user{number}@example.com").status == 200
    page = ask(browser, "one-more@example.com")
    assert (page.status, page.header("retry-after")) == (429, "900")
    assert ask(Browser(world, address="203.0.113.5")).status == 200


def test_several_accounts_with_one_address_get_a_letter_each(
    world: PeopleWorld, browser: Browser, outbox: Path
) -> None:
    world.add_user("ada2", email=EMAIL, email_verified=True)
    ask(browser)
    messages = delivered(world, outbox)
    assert sorted(plain(message).splitlines()[0] for message in messages) == ["Hello ada,", "Hello ada2,"]


def test_the_user_is_told_that_the_password_was_changed(world: PeopleWorld, browser: Browser, outbox: Path) -> None:
    """ASVS 6.3.7."""
    reset(browser, link_for(browser, outbox))
    (message,) = delivered(world, outbox)
    assert (message["To"], message["Subject"]) == (EMAIL, "A way to sign in was changed at Ostiary")


def test_without_e_mail_nothing_is_offered_and_nothing_is_queued(world: PeopleWorld, browser: Browser) -> None:
    change(world, email=EMAIL, email_verified=True)
    assert 'id="reset-link"' not in browser.open(f"{ISSUER}/sign-in").html
    assert browser.open(f"{ISSUER}/reset").status == 404
    browser.sign_in()
    assert world.read(lambda work: work.deliveries.due(now=int(world.clock()))) == []


def test_the_sign_in_page_leads_to_the_reset(browser: Browser, outbox: Path) -> None:
    assert f'href="{ISSUER}/reset"' in browser.open(f"{ISSUER}/sign-in").html
