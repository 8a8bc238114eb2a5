"""Take pictures of the pages as people see them, before a real ``ostiary dev``, into docs/images: ``make pictures``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page

from tests.real.dev_site import CALLBACK, PASSWORD, DevSite, dev_site
from tests.real_parts import MissingPart
from tests.real_parts.browser import chromium

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
MAX_BYTES = 60_000
DESK, PHONE = (500, 560), (360, 720)


def main() -> int:
    """Write the pictures; 1 with one sentence where the browser is missing or a picture is too large."""
    IMAGES.mkdir(exist_ok=True)
    try:
        with tempfile.TemporaryDirectory() as folder, dev_site(Path(folder)) as site, chromium() as browser:
            _in_light(browser, site)
            _in_dark(browser, site)
            _on_a_phone(browser, site)
    except MissingPart as error:
        print(error, file=sys.stderr)
        return 1
    large = [image.name for image in IMAGES.glob("*.png") if image.stat().st_size > MAX_BYTES]
    if large:
        print(f"larger than {MAX_BYTES} octets: {' '.join(sorted(large))}", file=sys.stderr)
    return 1 if large else 0


def _in_light(browser: Browser, site: DevSite) -> None:
    page = _visitor(browser, DESK, "light")
    page.goto(site.authorize())
    _take(page, "sign-in")
    _sign_in(page, "ada")
    _take(page, "consent")
    with page.expect_request(f"{CALLBACK}?*"):
        page.click("#allow")
    page.set_viewport_size({"width": 700, "height": 640})
    page.goto(f"{site.url}/account")
    _take(page, "account", whole=False)
    page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
    page.goto(f"{site.url}/sign-in")
    _sign_in(page, "grace")
    page.goto(site.authorize(prompt="select_account"))
    _take(page, "accounts")
    page.goto(site.authorize(redirect_uri="https://elsewhere.example.com/"))
    _take(page, "error")


def _in_dark(browser: Browser, site: DevSite) -> None:
    page = _visitor(browser, DESK, "dark")
    page.goto(site.authorize(prompt="consent"))
    _take(page, "sign-in-dark")
    _sign_in(page, "ada")
    _take(page, "consent-dark")


def _on_a_phone(browser: Browser, site: DevSite) -> None:
    page = _visitor(browser, PHONE, "light", language="de-DE")
    page.goto(f"{site.url}/account")
    _sign_in(page, "alan")
    page.click("#enrol-totp")
    _take(page, "authenticator-phone")
    page.goto(site.authorize())
    _take(page, "consent-phone")


def _visitor(
    browser: Browser, size: tuple[int, int], scheme: Literal["light", "dark"], *, language: str = "en-GB"
) -> Page:
    viewport = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, color_scheme=scheme, locale=language)  # type: ignore[arg-type]
    return context.new_page()


def _sign_in(page: Page, username: str) -> None:
    page.fill("#username", username)
    page.fill("#password", PASSWORD)
    page.click("#sign-in-button")
    page.wait_for_load_state()


def _take(page: Page, name: str, *, whole: bool = True) -> None:
    page.evaluate("document.activeElement.blur()")
    page.screenshot(path=IMAGES / f"{name}.png", full_page=whole)


if __name__ == "__main__":
    sys.exit(main())
