"""A browser without a screen: it keeps cookies, follows redirects of this site, and fills in the forms of a page."""

from __future__ import annotations

import asyncio
import base64
import hmac
import struct
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from ostiary.authorization_server.password_hashing import Cost, PasswordHashing
from ostiary.model.user import User
from ostiary.revocation.act import Act
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication import accounts, recovery_code, totp
from tests.authorization_server.world import ISSUER, World, scope

PASSWORD = "glass-otter-minute"
CHEAP = Cost(memory=64, passes=1)
"""Argon2id that costs nothing, for tests that are not about its cost."""


class PeopleWorld(World):
    """A world with users, and cheap hashes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server.passwords = PasswordHashing(CHEAP)

    def close(self) -> None:
        self.server.passwords.close()
        super().close()

    def act(self, actor: str = "cli") -> Act:
        return Act(actor, self.clock())

    def add_user(self, username: str, password: str | None = PASSWORD, **facts: Any) -> User:
        async def create(work: UnitOfWork) -> User:
            return await accounts.create_user(work, username=username, act=self.act(), **facts)

        user: User = self.write(create)[0]
        if password is not None:
            self.set_password(user, password)
        return user

    def set_password(self, user: User, password: str) -> None:
        server = self.server
        self.run(
            accounts.set_password(
                server.passwords, self.storage, self.settings.sign_in, user.user_id, password, self.act()
            )
        )

    def add_codes(self, user: User) -> str:
        """TOTP for the user; the key in base32, whose code of this moment counts as used."""
        begun = totp.begin_enrolment(self.server, user, self.clock())
        factor = totp.enrolled(self.server, user, begun.sealed, code_at(begun.key, self.clock()), self.clock())
        self.write(lambda work: accounts.add_factor(work, factor, self.act()))
        return begun.key

    def add_recovery_codes(self, user: User) -> list[str]:
        codes = recovery_code.new_codes()
        self.write(lambda work: recovery_code.replace_codes(work, user.user_id, codes, self.act()))
        return codes

    def user(self, username: str) -> User:
        found: User = self.read(lambda work: work.users.by_name(username))
        assert found is not None, username
        return found

    def factors(self, username: str = "ada", kind: str | None = None) -> list[Any]:
        user_id = self.user(username).user_id
        found = self.read(lambda work: work.factors.of_user(user_id))
        return [factor for factor in found if kind in (None, factor.kind)]

    def sessions(self, username: str = "ada") -> list[Any]:
        user_id = self.user(username).user_id
        found: list[Any] = self.read(lambda work: work.sessions.of_user(user_id))
        return found

    def audited(self, tag: str) -> list[Any]:
        return [row for row in self.audit() if row.tag == tag]


def code_at(key: str, now: float) -> str:
    """What a phone shows at this time: RFC 6238, made here of the standard library, as an oracle."""
    mac = hmac.digest(base64.b32decode(key), struct.pack(">Q", int(now) // 30), "sha1")
    at = mac[-1] & 15
    return f"{(int.from_bytes(mac[at : at + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


@dataclass
class Page:
    """What a browser shows: the fields of its forms by the form's id, and its texts by their id."""

    status: int
    url: str
    html: str
    headers: list[tuple[str, str]]
    forms: dict[str, dict[str, str]] = field(default_factory=dict)
    actions: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    def header(self, name: str) -> str:
        return next((value for one, value in self.headers if one == name), "")


class Browser:
    """One person at one address (``address``), with the cookies of this browser."""

    def __init__(self, world: World, *, address: str = "192.0.2.7", agent: str = "") -> None:
        self.world = world
        self.address = address
        self.agent = agent or "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
        self.cookies: dict[str, str] = {}

    def open(self, url: str) -> Page:
        """GET, following redirects as long as they stay on this site and lead to a page that is served."""
        return self._follow(self.call("GET", url))

    def send(self, page: Page, form: str, *, follow: bool = True, **fields: str) -> Page:
        """Fill in a form of the page and send it."""
        assert form in page.forms, (form, page.html)
        body = urlencode({name: value for name, value in (page.forms[form] | fields).items() if value})
        answer = self.call("POST", page.actions[form] or page.url, body)
        return self._follow(answer) if follow else answer

    def sign_in(self, username: str = "ada", password: str = PASSWORD, *, url: str = f"{ISSUER}/sign-in") -> Page:
        """Through the form, to wherever it leads."""
        return self.send(self.open(url), "sign-in-form", username=username, password=password)

    def send_code(self, page: Page, code: str, kind: str = "totp") -> Page:
        """Through the form of the second step, by a code or a recovery code."""
        if kind == "totp":
            return self.send(page, "code-form", code=code)
        return self.send(page, "recovery-code-form", recovery_code=code)

    def call(self, method: str, url: str, body: str = "", **headers: str) -> Page:
        return self.world.run(self.request(method, url, body, **headers))

    async def request(self, method: str, url: str, body: str = "", **headers: str) -> Page:
        parts = urlsplit(url)
        named = {"user-agent": self.agent, "content-type": "application/x-www-form-urlencoded"} | headers
        if self.cookies:
            named["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body.encode(), "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        asked = scope(method, parts.path, named)
        asked |= {"client": (self.address, 40_000), "query_string": parts.query.encode()}
        await self.world.app(asked, receive, send)
        told = [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]
        for name, value in told:
            if name == "set-cookie":
                self._keep(value)
        return _parsed(Page(sent[0]["status"], url, sent[1]["body"].decode(), told))

    def _keep(self, cookie: str) -> None:
        name, _, value = cookie.split(";")[0].partition("=")
        if "Max-Age=0" in cookie:
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value

    def _follow(self, page: Page) -> Page:
        for _ in range(5):
            target = page.header("location")
            if page.status != 303 or not target.startswith(ISSUER) or urlsplit(target).path in ELSEWHERE:
                return page
            page = self.call("GET", target)
        raise AssertionError(f"redirects without end at {page.url}")


ELSEWHERE = ("/continue", "/account")
"""Where these tests stop following: pages that are not about signing in."""


def parallel(world: World, *requests: Any) -> list[Page]:
    """Requests that run at once."""

    async def together() -> list[Page]:
        return list(await asyncio.gather(*requests))

    return world.run(together())


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page
        self._form = ""
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = given["id"]
            self._page.forms[self._form] = {}
            self._page.actions[self._form] = given.get("action", "")
        elif tag == "input" and self._form and given.get("type") not in ("checkbox", "radio"):
            self._page.forms[self._form][given["name"]] = given.get("value", "")
        if tag not in ("input", "form"):
            self._text = given.get("id", "") or self._text

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = ""
        self._text = ""

    def handle_data(self, text: str) -> None:
        if self._text:
            self._page.texts[self._text] = self._page.texts.get(self._text, "") + text.strip()


def _parsed(page: Page) -> Page:
    if page.header("content-type").startswith("text/html"):
        _Reader(page).feed(page.html)
    return replace(page)
