"""Somebody at a real browser who follows a page: ``python -m tests.docs.person [URL]``, run where ``.ostiary`` is.

Without a URL the steps stand on standard input, one a line::

    Open http://localhost:8000/
    Press Sign in                 a button or a link of that name
    Sign in as demo               at the server, with the password of the demo user
    See Hello                     a text that appears within 20 seconds

With a URL, somebody has opened it for an application on this machine: sign in as demo and allow.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from playwright.sync_api import Page

from tests.real.visitor import WAIT, User, allow, sign_in
from tests.real_parts.browser import chromium


def demo_user() -> User:
    """The user of the ``ostiary dev`` that runs in this folder."""
    known = json.loads(Path(".ostiary/demo-user.json").read_text())
    return User(known["username"], known["password"])


def do(page: Page, step: str) -> None:
    """One step. Raises ValueError for a step that nobody can follow."""
    verb, _, rest = step.partition(" ")
    if verb == "Open":
        page.goto(rest)
    elif step == "Sign in as demo":
        sign_in(page, demo_user())
    elif verb == "Press":
        by_name = page.get_by_role("button", name=rest, exact=True).or_(page.get_by_role("link", name=rest, exact=True))
        by_name.click(timeout=WAIT)
    elif verb == "See":
        page.get_by_text(rest, exact=True).first.wait_for(timeout=WAIT)
    else:
        raise ValueError(f"nobody can do this: {step}")


def main() -> None:
    """Do what the arguments or standard input say; a step that fails ends it with an error."""
    with chromium() as browser:
        page = browser.new_context().new_page()
        if len(sys.argv) > 1:
            page.goto(sys.argv[1])
            sign_in(page, demo_user())
            allow(page)
            page.get_by_text("You can close this window.").wait_for(timeout=WAIT)
            return
        for step in sys.stdin.read().splitlines():
            do(page, step)


if __name__ == "__main__":
    main()
