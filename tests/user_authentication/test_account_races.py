"""What somebody does on the account page while their session ends or their password changes: it must not count."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from ostiary.authorization_server.password_hashing import Slot
from ostiary.revocation import end_sessions_of
from ostiary.storage.base import UnitOfWork
from ostiary.storage.sqlite import SqliteStorage
from ostiary.user_authentication import accounts
from tests.authorization_server.world import ISSUER
from tests.user_authentication import authenticator
from tests.user_authentication.authenticator import Passkey, octets
from tests.user_authentication.browser import PASSWORD, Browser, Page, PeopleWorld, code_at
from tests.user_authentication.mail import delivered, link_in, with_email
from tests.user_authentication.passkeys import add_passkey, options_of, passkeys_page, send_passkey

NEW = "copper-lantern-seven-rivers"
Meanwhile = Callable[[UnitOfWork], Any]


@pytest.fixture
def signed_in(browser: Browser) -> Browser:
    """Ada's browser."""
    browser.sign_in()
    return browser


def before_the_next_write(world: PeopleWorld, monkeypatch: pytest.MonkeyPatch, act: Meanwhile) -> None:
    """Somebody else's transaction commits after the request was let in and before it writes."""
    write = SqliteStorage.write
    acts = [act]

    @asynccontextmanager
    async def late(storage: SqliteStorage) -> AsyncIterator[UnitOfWork]:
        while acts:
            async with write(storage) as work:
                await acts.pop()(work)
        async with write(storage) as work:
            yield work

    monkeypatch.setattr(SqliteStorage, "write", late)


def while_hashing(world: PeopleWorld, monkeypatch: pytest.MonkeyPatch, act: Meanwhile) -> None:
    """Somebody else's transaction commits while the new password is being hashed."""
    hash_ = Slot.hash

    async def late(slot: Slot, password: str) -> str:
        encoded = await hash_(slot, password)
        async with world.storage.write() as work:
            await act(work)
        return encoded

    monkeypatch.setattr(Slot, "hash", late)


def all_sessions_end(world: PeopleWorld) -> Meanwhile:
    user_id = world.user("ada").user_id
    return lambda work: end_sessions_of(work, user_id, world.act())


def open_page(world: PeopleWorld, browser: Browser, path: str = "") -> Page:
    page = browser.call("GET", f"{ISSUER}/account{path}?account={world.sessions()[0].session_id}")
    assert page.status == 200, page.html
    return page


def change_password(world: PeopleWorld, browser: Browser, current: str = PASSWORD) -> Page:
    page = open_page(world, browser, "/password")
    return browser.send(page, "password-form", follow=False, current=current, password=NEW)


def led_to_the_sign_in(page: Page) -> bool:
    return page.status == 303 and urlsplit(page.header("location")).path == "/sign-in"


def prepared_totp(world: PeopleWorld, browser: Browser) -> Callable[[], Page]:
    page = open_page(world, browser, "/totp")
    code = code_at(page.texts["totp-key"].replace(" ", ""), world.clock())
    return lambda: browser.send(page, "totp-form", follow=False, code=code)


def prepared_codes(world: PeopleWorld, browser: Browser) -> Callable[[], Page]:
    page = open_page(world, browser, "/recovery-codes")
    return lambda: browser.send(page, "recovery-codes-form", follow=False, kept="yes")


def prepared_passkey(world: PeopleWorld, browser: Browser) -> Callable[[], Page]:
    page = passkeys_page(browser)
    options = options_of(browser, page)
    passkey = Passkey(options["publicKey"]["rp"]["id"], octets(options["publicKey"]["user"]["id"]))
    answer = authenticator.register(passkey, ISSUER, options["publicKey"])
    return lambda: send_passkey(browser, page, answer, options["challenge"])


def prepared_removal(world: PeopleWorld, browser: Browser) -> Callable[[], Page]:
    add_passkey(browser)
    (password,) = world.factors(kind="password")
    csrf = open_page(world, browser).forms["sessions-form"]["csrf"]
    url = f"{ISSUER}/account/factors?account={world.sessions()[0].session_id}"
    return lambda: browser.call("POST", url, f"csrf={csrf}&factor_id={password.factor_id}")


@pytest.mark.parametrize("prepared", [prepared_totp, prepared_codes, prepared_passkey, prepared_removal])
def test_a_session_that_ends_meanwhile_changes_no_factor(
    world: PeopleWorld, signed_in: Browser, monkeypatch: pytest.MonkeyPatch, prepared: Any
) -> None:
    send = prepared(world, signed_in)
    before = world.factors()
    before_the_next_write(world, monkeypatch, all_sessions_end(world))
    assert led_to_the_sign_in(send())
    assert world.factors() == before


def test_a_session_that_ends_meanwhile_sets_no_password(
    world: PeopleWorld, signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever resets a password shuts out who was in before, though their change of it is being hashed."""
    before = world.factors()[0].secret
    while_hashing(world, monkeypatch, all_sessions_end(world))
    assert led_to_the_sign_in(change_password(world, signed_in))
    assert world.factors()[0].secret == before


def test_a_password_that_changes_meanwhile_is_not_the_present_one(
    world: PeopleWorld, signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    (factor,) = world.factors()
    while_hashing(world, monkeypatch, lambda work: work.factors.set_secret(factor.factor_id, b"another"))
    page = change_password(world, signed_in)
    assert (page.status, "The present password is not right." in page.html) == (400, True)
    assert world.factors()[0].secret == b"another"


def test_a_first_password_that_another_page_made_meanwhile_stays(
    world: PeopleWorld, signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    (factor,) = world.factors()
    world.write(lambda work: work.factors.remove(factor.factor_id))
    page = open_page(world, signed_in, "/password")
    while_hashing(world, monkeypatch, lambda work: work.factors.add(factor))
    assert signed_in.send(page, "password-form", follow=False, password=NEW).status == 400
    assert world.factors()[0].secret == factor.secret


def test_a_session_that_ends_meanwhile_confirms_no_address(
    world: PeopleWorld, signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = world.user("ada").user_id
    world.write(lambda work: accounts.change_user(work, user_id, world.act(), email="ada@example.com"))
    folder = with_email(world)
    page = open_page(world, signed_in, "/email")
    signed_in.send(page, "email-form", follow=False, email="eve@example.net")
    (message,) = delivered(world, folder)
    page = signed_in.call("GET", link_in(message))
    before_the_next_write(world, monkeypatch, all_sessions_end(world))
    assert led_to_the_sign_in(signed_in.send(page, "verify-email-form", follow=False))
    assert world.user("ada").email == "ada@example.com"


def test_a_session_that_ends_meanwhile_sends_no_link(
    world: PeopleWorld, signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = with_email(world)
    page = open_page(world, signed_in, "/email")
    before_the_next_write(world, monkeypatch, all_sessions_end(world))
    assert led_to_the_sign_in(signed_in.send(page, "email-form", follow=False, email="eve@example.net"))
    assert delivered(world, folder) == []
