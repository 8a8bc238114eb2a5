"""The system's Chromium, driven by Playwright: one browser, a fresh context (cookies, storage) for each visitor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.real_parts.system_packages import system_program

# As root Chromium starts without its sandbox only; the pages that it sees are our own. /dev/shm is small in containers.
# Whatever is not this machine cannot be found: no test depends on somebody else's server, or calls it.
FLAGS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--font-render-hinting=none",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser without a window.

    Raises:
        MissingPart: it is not installed; names its package.
    """
    program = system_program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()
