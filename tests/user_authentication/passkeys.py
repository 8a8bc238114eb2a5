"""What a person with passkeys does in these tests: through the pages, the script's part done here."""

from __future__ import annotations

import json
from html import unescape
from typing import Any, Unpack
from urllib.parse import urlsplit

from ostiary.protocol import token_format
from tests.authorization_server.world import ISSUER
from tests.user_authentication import authenticator
from tests.user_authentication.authenticator import UP, UV, Passkey, Twists
from tests.user_authentication.browser import Browser, Page, PeopleWorld

PAGE = f"{ISSUER}/account/passkeys"


def passkeys_page(browser: Browser, username: str = "ada") -> Page:
    """The page where a user who has just signed in makes passkeys."""
    assert isinstance(browser.world, PeopleWorld)
    digest = token_format.digest(browser.cookies["__Host-ostiary-session"])
    session = next(one for one in browser.world.sessions(username) if one.digest == digest)
    page = browser.open(f"{PAGE}?account={session.session_id}")
    assert (page.status, page.path) == (200, urlsplit(PAGE).path), page.html
    return page


def options_of(browser: Browser, page: Page) -> dict[str, Any]:
    """What the script of this page gets: ``publicKey`` and ``challenge``."""
    answer = browser.call("GET", url_of_options(page))
    assert answer.status == 200, answer.html
    options: dict[str, Any] = json.loads(answer.html)
    return options


def url_of_options(page: Page) -> str:
    _, _, rest = page.html.partition('<div id="passkey" data-')
    return unescape(rest.partition('"')[2].partition('"')[0])


def add_passkey(
    browser: Browser, *, name: str = "", count: int = 0, flags: int = UP | UV, username: str = "ada"
) -> Passkey:
    """A new passkey of the user who is signed in, through the page."""
    page = passkeys_page(browser, username)
    options = options_of(browser, page)
    passkey, answer = authenticator.make(ISSUER, options["publicKey"], count=count, flags=flags)
    done = send_passkey(browser, page, answer, options["challenge"], name=name)
    assert done.header("location").endswith("done=passkey_added"), done.html
    return passkey


def send_passkey(browser: Browser, page: Page, answer: object, challenge: str, **fields: str) -> Page:
    """What the script does at the end."""
    return browser.send(page, "passkey-form", passkey=json.dumps(answer), challenge=challenge, follow=False, **fields)


def sign_in(
    browser: Browser, passkey: Passkey, *, page: Page | None = None, options: Any = None, **twists: Unpack[Twists]
) -> Page:
    """With the passkey; page: where, if not on the sign-in page. The answer is not followed."""
    page = page or browser.open(f"{ISSUER}/sign-in")
    options = options or options_of(browser, page)
    answer = authenticator.sign(passkey, ISSUER, options["publicKey"], **twists)
    return send_passkey(browser, page, answer, options["challenge"])
