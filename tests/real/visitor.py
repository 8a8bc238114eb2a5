"""A user in a real browser: opens an authorization URL, signs in, allows, and comes back to the application."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Page

WAIT = 20_000
"""Milliseconds that a page may take."""


@dataclass(frozen=True, slots=True)
class User:
    """Who signs in."""

    username: str
    password: str


def sign_in(page: Page, user: User) -> None:
    """Fill in the sign-in form that ``page`` shows."""
    page.locator("#sign-in-form").wait_for(timeout=WAIT)
    page.locator("#username").fill(user.username)
    page.locator("#password").fill(user.password)
    page.locator("#sign-in-button").click()


def allow(page: Page) -> None:
    """Say yes on the consent page."""
    page.locator("#consent-form #allow").click(timeout=WAIT)


def arrive(page: Page, url: str, user: User, back_at: str) -> str:
    """Open ``url`` and do what is asked until the browser is ``back_at`` (the beginning of a URL); where it is then."""
    page.goto(url)
    sign_in(page, user)
    allow(page)
    page.wait_for_url(lambda found: found.startswith(back_at), timeout=WAIT)
    return page.url
