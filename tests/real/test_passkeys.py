"""Passkeys in a real browser, by its virtual authenticator, against a real ``ostiary dev``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect

from ostiary.user_authentication.acr import TWO_FACTORS
from tests.real.accessibility import grave_faults
from tests.real.dev_server import Dev, running_dev

ASKING = {
    "client_id": "demo-app",
    "redirect_uri": "http://127.0.0.1:9/callback",
    "response_type": "code",
    "scope": "openid",
    "state": "state",
    "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "code_challenge_method": "S256",
    "acr_values": TWO_FACTORS,
}
ACCOUNT = re.compile(r"/account(\?|$)")


@dataclass
class Visitor:
    """One browser with an authenticator in it. present: whether its user touches it when they are asked."""

    page: Page
    cdp: CDPSession
    authenticator: str
    issuer: str
    faults: list[str]

    def present(self, here: bool) -> None:
        self.cdp.send(
            "WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": self.authenticator, "enabled": here}
        )

    @property
    def passkeys(self) -> list[dict[str, Any]]:
        found = self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.authenticator})
        return list(found["credentials"])

    def sign_in_by_password(self, user: str, password: str) -> None:
        self.page.goto(f"{self.issuer}/sign-in")
        self.give_password(user, password)

    def give_password(self, user: str, password: str) -> None:
        self.page.fill("#username", user)
        self.page.fill("#password", password)
        self.page.click("#sign-in-button")

    def sign_out(self) -> None:
        self.page.goto(f"{self.issuer}/sign-out")
        self.page.locator("form button").first.click()
        self.page.wait_for_url(re.compile("/sign-out"))

    def add_passkey(self, name: str) -> None:
        self.page.goto(f"{self.issuer}/account")
        self.page.click("#add-passkey")
        self.page.fill("#name", name)
        self.page.click("#passkey-button")


@contextmanager
def visiting(browser: Browser, issuer: str, **options: Any) -> Iterator[Visitor]:
    context = browser.new_context(locale="en-GB", **options)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda told: faults.append(told.text) if "Content Security Policy" in told.text else None)
    cdp = context.new_cdp_session(page)
    cdp.send("WebAuthn.enable", {"enableUI": False})
    authenticator = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    made = cdp.send("WebAuthn.addVirtualAuthenticator", {"options": authenticator})
    yield Visitor(page, cdp, made["authenticatorId"], issuer, faults)
    context.close()
    assert faults == []


def demo_user(dev: Dev) -> tuple[str, str]:
    """The name and the password of the user that ``dev`` makes."""
    told = json.loads((dev.folder / ".ostiary" / "demo-user.json").read_text())
    return told["username"], told["password"]


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    with running_dev(tmp_path_factory.mktemp("dev")) as running:
        yield running


def test_a_passkey_from_its_making_to_its_removal(browser: Browser, dev: Dev, foreign_clients: Path) -> None:
    user, password = demo_user(dev)
    with visiting(browser, dev.issuer) as visitor:
        page = visitor.page
        visitor.sign_in_by_password(user, password)
        page.wait_for_url(ACCOUNT)
        visitor.add_passkey("Ada's laptop")
        expect(page.locator("#done")).to_contain_text("The passkey is added.")
        expect(page.locator("#factors-heading ~ ul")).to_contain_text("Ada's laptop")
        (kept,) = visitor.passkeys
        assert (kept["rpId"], kept["isResidentCredential"]) == ("localhost", True)

        # The device that has one makes no other.
        visitor.add_passkey("again")
        expect(page.locator("#passkey-known")).to_be_visible()
        assert grave_faults(page, foreign_clients) == []
        assert len(visitor.passkeys) == 1

        # By the button, without a name; the suggestions wait meanwhile.
        visitor.sign_out()
        visitor.present(False)
        page.goto(f"{dev.issuer}/sign-in")
        expect(page.locator("#passkey-button")).to_be_visible()
        assert grave_faults(page, foreign_clients) == []
        page.wait_for_timeout(500)
        assert page.url.startswith(f"{dev.issuer}/sign-in")
        visitor.present(True)  # for what is asked from now on: the suggestions go on waiting
        page.wait_for_timeout(500)
        assert page.url.startswith(f"{dev.issuer}/sign-in")
        page.click("#passkey-button")
        page.wait_for_url(ACCOUNT)

        # By the suggestions of the name: the page asks by itself, and nothing is pressed.
        visitor.sign_out()
        page.goto(f"{dev.issuer}/sign-in")
        page.wait_for_url(ACCOUNT)

        # Another name, and away.
        page.click("#add-passkey")
        row = page.locator(".rows > li", has=page.locator('input[value="Ada\'s laptop"]'))
        row.locator("input[name=name]").fill("Old laptop")
        row.get_by_role("button").click()
        expect(page.locator("#done")).to_contain_text("new name")
        row = page.locator("#factors-heading ~ ul > li", has_text="Old laptop")
        row.get_by_role("button").click()
        expect(page.locator("#done")).to_contain_text("It was removed.")
        visitor.sign_out()
        page.goto(f"{dev.issuer}/sign-in")
        expect(page.locator("#problem")).to_contain_text("This passkey was not accepted.")
        # The browser would offer it again and again; the page asks no more by itself.
        refused = page.url
        page.wait_for_timeout(500)
        assert page.url == refused
        page.click("#passkey-button")
        page.wait_for_url(lambda url: url != refused)
        expect(page.locator("#problem")).to_contain_text("This passkey was not accepted.")


def test_a_passkey_follows_the_password_where_an_application_asks_for_two_factors(browser: Browser, dev: Dev) -> None:
    with visiting(browser, dev.issuer) as visitor:
        page = visitor.page
        visitor.sign_in_by_password(*demo_user(dev))
        page.wait_for_url(ACCOUNT)
        visitor.add_passkey("")
        expect(page.locator("#done")).to_contain_text("The passkey is added.")
        visitor.sign_out()
        visitor.present(False)
        page.goto(f"{dev.issuer}/authorize?{urlencode(ASKING)}")
        visitor.give_password(*demo_user(dev))
        page.wait_for_url(re.compile("/sign-in/second-factor"))
        expect(page.locator("#passkey-unsupported")).to_have_count(0)
        visitor.present(True)
        page.click("#passkey-button")
        page.wait_for_url(re.compile("/consent"))


def test_an_authenticator_that_does_not_verify_its_user_signs_nobody_in(browser: Browser, dev: Dev) -> None:
    with visiting(browser, dev.issuer) as visitor:
        page = visitor.page
        visitor.sign_in_by_password(*demo_user(dev))
        page.wait_for_url(ACCOUNT)
        visitor.add_passkey("")
        expect(page.locator("#done")).to_contain_text("The passkey is added.")
        visitor.sign_out()
        verified = {"authenticatorId": visitor.authenticator, "isUserVerified": False}
        visitor.cdp.send("WebAuthn.setUserVerified", verified)
        page.goto(f"{dev.issuer}/sign-in")
        page.click("#passkey-button")
        expect(page.locator("#passkey-failed")).to_be_visible()
        assert page.url.startswith(f"{dev.issuer}/sign-in")


def test_without_scripts_no_page_shows_passkeys(browser: Browser, dev: Dev) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    page.goto(f"{dev.issuer}/sign-in")
    expect(page.locator("#passkey-button")).to_be_hidden()
    expect(page.locator("#or")).to_be_hidden()
    user, password = demo_user(dev)
    page.fill("#username", user)
    page.fill("#password", password)
    page.click("#sign-in-button")
    page.wait_for_url(ACCOUNT)
    page.click("#add-passkey")
    expect(page.locator("#passkey-unsupported")).to_be_visible()
    expect(page.locator("#passkey-button")).to_be_hidden()
    context.close()
