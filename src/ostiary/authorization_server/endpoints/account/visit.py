"""Who is on their own account page: a session of this browser, named in the URL where the browser has several.

What lets somebody in elsewhere or later, a factor, is changed only by somebody who has just signed in: "Verify that the
application requires full re-authentication before allowing modifications to sensitive account attributes". ASVS 7.5.1.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ostiary.authorization_server import form as forms
from ostiary.authorization_server.authorization.answer import see_other
from ostiary.authorization_server.browser import browser_forms, cookies
from ostiary.authorization_server.browser.cookies import BrowserSecrets, Header
from ostiary.authorization_server.client_address import client_address
from ostiary.authorization_server.endpoints.page_errors import PageHandler, page
from ostiary.authorization_server.http import Request, Response
from ostiary.model.session import Session
from ostiary.model.user import User
from ostiary.revocation.act import Act
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication import session as sessions
from ostiary.user_authentication.pages.render import ALONE, render
from ostiary.user_authentication.sign_in import begin_anew

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

PATH = "/account"
ACCOUNT = "account"
"""The parameter that names the session whose account it is."""

DONE = "done"
RECENT = 600
"""Seconds since the sign-in within which a factor may be changed."""


class SessionEnded(Exception):
    """The session of a visit ended while its request was under way: nothing of it counts, its user signs in again."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a signed-in user. others: the other accounts of this browser. now: seconds since the epoch.

    form: what was sent from a page of ours, None if nothing was.
    """

    server: AuthorizationServer
    request: Request
    secrets: BrowserSecrets
    session: Session
    user: User
    others: tuple[tuple[Session, User], ...]
    now: float
    form: dict[str, str] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """Where the browser is."""
        return client_address(self.server, self.request)

    @property
    def act(self) -> Act:
        """What the user does here, for the records."""
        personal = {"address": self.address} if self.address else {}
        return Act(f"user:{self.user.user_id}", self.now, "on the account page", personal=personal)

    @property
    def is_recent(self) -> bool:
        """Whether the user has just signed in, and not merely come back."""
        return self.now < self.session.auth_time + RECENT

    def url(self, path: str = "", *, done: str = "") -> str:
        """The URL of a page of this account. done: a word of the catalogue's ``account.done_...``."""
        query = {ACCOUNT: self.session.session_id} | ({DONE: done} if done else {})
        return f"{self.server.issuer.rstrip('/')}{PATH}{path}?{urlencode(query)}"

    def back(self, done: str = "") -> Response:
        """303 to the account page."""
        return see_other(self.url(done=done))

    @asynccontextmanager
    async def write(self) -> AsyncIterator[UnitOfWork]:
        """A unit of work in which the session still stands: what is changed for its user is changed in one of these.

        Else somebody who was shut out a moment ago, by a reset of the password, could still change it back.
        """
        async with self.server.storage.write() as work:
            if await sessions.standing(work, self.session.session_id, self.now) is None:
                raise SessionEnded
            yield work

    def show(self, template: str, *, status: int = 200, headers: tuple[Header, ...] = (), **context: Any) -> Response:
        """A page of this account."""
        headers = (*ALONE, *headers)
        return render(self.server, self.request, self.secrets, template, status=status, headers=headers, **context)


Handler = Callable[[Visit], Awaitable[Response]]


def visited(handler: Handler, *, recent: bool = False) -> PageHandler:
    """``handler`` for a user who is signed in, and has just signed in where ``recent``; others sign in first."""

    async def shown(server: AuthorizationServer, request: Request) -> Response:
        secrets = cookies.read(server, request)
        form = browser_forms.read(server, request, secrets) if request.method == "POST" else None
        now = server.clock()
        async with server.storage.read() as work:
            here = await sessions.of_browser(work, secrets, now)
        if not here:
            return await begin_anew(server, secrets)
        named = forms.parse(request.query).get(ACCOUNT, "")
        chosen = _chosen(here, named, sending=form is not None)
        if chosen is None:
            return see_other(server.issuer.rstrip("/") + PATH)
        session, user = chosen
        others = tuple(one for one in here if one[0].session_id != session.session_id)
        visit = Visit(server, request, secrets, session, user, others, now, form)
        if recent and not visit.is_recent:
            return await begin_anew(server, secrets)
        await _touch(visit)
        try:
            return await handler(visit)
        except SessionEnded:
            return await begin_anew(server, secrets)

    return page(shown)


def _chosen(here: list[tuple[Session, User]], named: str, *, sending: bool) -> tuple[Session, User] | None:
    """The account that is named; without a name the latest, but to look at only.

    A form acts on the account that it was shown for, and never on another one because that one has ended meanwhile.
    """
    if not named and not sending:
        return here[0]
    return next((one for one in here if one[0].session_id == named), None)


async def _touch(visit: Visit) -> None:
    if visit.now >= visit.session.last_seen_at + sessions.TOUCH_EVERY:
        async with visit.server.storage.write() as work:
            await sessions.touch(work, visit.server.settings.sign_in, visit.session, visit.now)
