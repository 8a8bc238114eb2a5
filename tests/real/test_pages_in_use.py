"""A person in front of a browser and a real server: signs in, allows, looks after the account; no script is needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, Page

from tests.real.accessibility import grave_faults
from tests.real.dev_site import CALLBACK, PASSWORD, PEOPLE, DevSite, dev_site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevSite]:
    with dev_site(tmp_path_factory.mktemp("dev")) as running:
        yield running


@pytest.fixture(params=["with scripts", "without scripts"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A new browser of somebody's. The application's own site is nowhere: what is sent there is seen as it leaves."""
    context = browser.new_context(java_script_enabled=request.param == "with scripts", locale="en-GB")
    yield context.new_page()
    context.close()


def sign_in(page: Page, username: str = "ada") -> None:
    page.fill("#username", username)
    page.fill("#password", PASSWORD)
    page.click("#sign-in-button")


def test_a_person_signs_in_allows_and_goes_back_to_the_application(page: Page, site: DevSite) -> None:
    page.goto(site.authorize(prompt="consent"))
    assert page.get_by_text("to continue to Photo Printer").is_visible()
    sign_in(page)
    assert page.locator("#host").inner_text() == "printer.example.com"
    with page.expect_request(f"{CALLBACK}?*") as answer:
        page.click("#allow")
    assert "code=" in answer.value.url


def test_a_person_who_says_no_goes_back_too(page: Page, site: DevSite) -> None:
    page.goto(site.authorize(prompt="consent"))
    sign_in(page)
    with page.expect_request(f"{CALLBACK}?*") as answer:
        page.click("#deny")
    assert "error=access_denied" in answer.value.url


def test_an_answer_by_form_arrives(page: Page, site: DevSite, request: pytest.FixtureRequest) -> None:
    page.goto(site.authorize(prompt="consent", response_mode="form_post"))
    sign_in(page)
    with page.expect_request(CALLBACK) as answer:
        page.click("#allow")
        if "without" in request.node.name:
            page.click("#form-post button")
    assert "code=" in (answer.value.post_data or "")


def test_a_wrong_password_is_told_beside_the_fields(page: Page, site: DevSite) -> None:
    page.goto(f"{site.url}/sign-in")
    page.fill("#username", "grace")
    page.fill("#password", "a wrong one")
    page.click("#sign-in-button")
    assert "That is not right" in page.get_by_role("alert").inner_text()
    assert page.input_value("#username") == "grace"
    assert page.input_value("#password") == ""


def test_a_person_looks_after_their_account(page: Page, site: DevSite, request: pytest.FixtureRequest) -> None:
    username = "edith" if "without" in request.node.name else "alan"
    page.goto(f"{site.url}/account")
    sign_in(page, username)
    assert page.locator("#account-name").inner_text() == PEOPLE[username]
    page.click("#enrol-totp")
    code = pyotp.TOTP(page.locator("#totp-key").inner_text().replace(" ", "")).now()
    page.fill("#code", code)
    page.fill("#name", "My phone")
    page.click("#totp-button")
    assert page.locator("#done").inner_text() == "The authenticator app is added."
    page.click("#enrol-recovery-codes")
    page.check("#kept")
    page.click("#recovery-codes-button")
    assert page.locator("#codes-left").inner_text() == "10 left"
    page.locator("li", has_text="My phone").get_by_role("button").click()
    assert page.locator("#done").inner_text() == "It was removed."
    page.click("#sign-out-link")
    page.click("#sign-out-button")
    assert page.locator("#signed-out").is_visible()
    page.goto(f"{site.url}/account")
    assert page.locator("#sign-in-form").is_visible()


def test_several_accounts_of_one_browser_are_chosen_from(
    browser: Browser, site: DevSite, foreign_clients: Path
) -> None:
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    for username in ("ada", "grace"):
        page.goto(f"{site.url}/sign-in")
        sign_in(page, username)
    page.goto(site.authorize(prompt="select_account consent"))
    assert page.locator("#accounts-form button").count() == 2
    assert grave_faults(page, foreign_clients) == []
    page.get_by_role("button", name="Ada Byron").click()
    assert page.locator(".signed-in strong").inner_text() == "Ada Byron"
    assert page.locator("#consent-form").is_visible()
    context.close()
