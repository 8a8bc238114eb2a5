"""Another e-mail address: it is the user's when they, signed in, have opened the link that was sent to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostiary.user_authentication import accounts, address_verification, email_links
from tests.authorization_server.world import ISSUER
from tests.user_authentication.browser import Browser, Page, PeopleWorld
from tests.user_authentication.mail import delivered, link_in, with_email

OLD, NEW = "ada@example.com", "ada.byron@example.org"


@pytest.fixture
def outbox(world: PeopleWorld, browser: Browser) -> Path:
    """Ada, with a confirmed address, is signed in."""
    user_id = world.user("ada").user_id
    world.write(lambda work: accounts.change_user(work, user_id, world.act(), email=OLD, email_verified=True))
    folder = with_email(world)
    browser.sign_in()
    delivered(world, folder)
    return folder


def account(world: PeopleWorld, path: str, username: str = "ada") -> str:
    return f"{ISSUER}{path}?account={world.sessions(username)[0].session_id}"


def ask(world: PeopleWorld, browser: Browser, email: str = NEW, username: str = "ada") -> Page:
    page = browser.call("GET", account(world, "/account/email", username))
    return browser.send(page, "email-form", follow=False, email=email)


def link_for(world: PeopleWorld, browser: Browser, outbox: Path, username: str = "ada") -> str:
    ask(world, browser, username=username)
    (message,) = [one for one in delivered(world, outbox) if one["Subject"].startswith("Confirm")]
    assert message["To"] == NEW
    return link_in(message)


def confirm(browser: Browser, link: str) -> Page:
    return browser.send(browser.call("GET", link), "verify-email-form", follow=False)


def test_an_address_is_the_users_when_they_have_opened_the_link(
    world: PeopleWorld, browser: Browser, outbox: Path
) -> None:
    link = link_for(world, browser, outbox)
    assert world.user("ada").email == OLD, "nothing is changed before"
    page = browser.call("GET", link)
    assert page.texts["verify-lead"] == f"{NEW} becomes the e-mail address of your account ada."
    assert world.user("ada").email == OLD, "opening the link changes nothing"
    assert confirm(browser, link).texts["message"] == "Your e-mail address is confirmed."
    assert (world.user("ada").email, world.user("ada").email_verified) == (NEW, True)


def test_the_address_before_is_told(world: PeopleWorld, browser: Browser, outbox: Path) -> None:
    confirm(browser, link_for(world, browser, outbox))
    (message,) = delivered(world, outbox)
    assert (message["To"], message["Subject"]) == (OLD, "Your e-mail address at Ostiary was changed")


def test_the_present_address_is_confirmed_the_same_way(world: PeopleWorld, browser: Browser, outbox: Path) -> None:
    user_id = world.user("ada").user_id
    world.write(lambda work: accounts.change_user(work, user_id, world.act(), email=NEW))
    assert "not confirmed" in browser.call("GET", f"{ISSUER}/account").html
    confirm(browser, link_for(world, browser, outbox))
    assert world.user("ada").email_verified


def test_a_stranger_who_is_lured_into_the_link_confirms_nothing(
    world: PeopleWorld, browser: Browser, outbox: Path
) -> None:
    """Mallory enters Ada's address in her own account: Ada's click gives Mallory no confirmed address."""
    world.add_user("mallory")
    mallory = Browser(world, address="198.51.100.9")
    mallory.sign_in("mallory")
    link = link_for(world, mallory, outbox, "mallory")
    assert browser.call("GET", link).status == 400
    page = browser.call("GET", account(world, "/account/email"))
    forged = {"csrf": page.forms["email-form"]["csrf"], "token": link.partition("token=")[2]}
    page.forms, page.actions = {"f": forged}, {"f": account(world, address_verification.PATH)}
    assert browser.send(page, "f", follow=False).status == 400
    assert Browser(world).call("GET", link).status == 303, "who is not signed in signs in first"
    assert not world.user("mallory").email_verified
    assert confirm(mallory, link).status == 200, "the refused tries have spent nothing"


def test_the_link_finds_its_user_among_the_accounts_of_the_browser(
    world: PeopleWorld, browser: Browser, outbox: Path
) -> None:
    link = link_for(world, browser, outbox)
    world.add_user("bob")
    browser.sign_in("bob")
    assert confirm(browser, link).status == 200
    assert world.user("ada").email == NEW
    assert world.user("bob").email == ""


def test_a_link_works_once_and_not_for_long(world: PeopleWorld, browser: Browser, outbox: Path) -> None:
    link = link_for(world, browser, outbox)
    page = browser.call("GET", link)
    assert confirm(browser, link).status == 200
    assert browser.send(page, "verify-email-form", follow=False).status == 400
    second = link_for(world, browser, outbox)
    world.clock.now += email_links.LIFE
    assert browser.call("GET", second).status == 400


def test_a_changed_password_ends_the_link(world: PeopleWorld, browser: Browser, outbox: Path) -> None:
    """Who took an account over cannot make its address theirs after its user has taken it back."""
    link = link_for(world, browser, outbox)
    world.set_password(world.user("ada"), "quiet-lantern-ridge-47")
    assert browser.call("GET", link).status == 400


def test_a_reset_link_confirms_nothing(world: PeopleWorld, browser: Browser, outbox: Path) -> None:
    page = browser.send(Browser(world).open(f"{ISSUER}/reset"), "reset-request-form", follow=False, email=OLD)
    assert page.status == 403, "another browser's form"
    browser.send(browser.open(f"{ISSUER}/reset"), "reset-request-form", follow=False, email=OLD)
    (message,) = delivered(world, outbox)
    token = link_in(message).partition("token=")[2]
    assert browser.call("GET", f"{ISSUER}/verify-email?token={token}").status == 400


def test_only_somebody_who_has_just_signed_in_may_ask(world: PeopleWorld, browser: Browser, outbox: Path) -> None:
    world.clock.now += 601
    page = browser.call("GET", account(world, "/account/email"))
    assert (page.status, page.header("location").split("?")[0]) == (303, f"{ISSUER}/sign-in")


@pytest.mark.parametrize("email", ["ada", "a@b@c", "ada@example.com, eve@example.com", "<b>@x.example"])
def test_what_is_no_address_is_refused_with_a_word(
    world: PeopleWorld, browser: Browser, outbox: Path, email: str
) -> None:
    page = ask(world, browser, email)
    assert (page.status, page.texts["problem"]) == (400, "This is no e-mail address.")
    assert delivered(world, outbox) == []


def test_nobody_can_flood_a_mailbox_from_their_account(world: PeopleWorld, browser: Browser, outbox: Path) -> None:
    pages = [ask(world, browser) for _ in range(address_verification.USER_LIMIT + 1)]
    assert [page.status for page in pages] == [200] * address_verification.USER_LIMIT + [429]
    assert pages[-1].header("retry-after") == "900"
    assert pages[-1].texts["problem"] == "There were too many tries. Try again in 15 min."
    assert len(delivered(world, outbox)) == address_verification.USER_LIMIT


def test_the_user_is_told_when_a_factor_is_removed_or_changed(
    world: PeopleWorld, browser: Browser, outbox: Path
) -> None:
    """ASVS 6.3.7."""
    user_id = world.user("ada").user_id
    factor = accounts.new_factor(user_id, "passkey", "phone", b"", world.clock())
    world.write(lambda work: accounts.add_factor(work, factor, world.act()))
    page = browser.call("GET", account(world, "/account"))
    browser.send(page, f"remove-{factor.factor_id}", follow=False, factor_id=factor.factor_id)
    (message,) = delivered(world, outbox)
    assert message["Subject"] == "A way to sign in was removed at Ostiary"
