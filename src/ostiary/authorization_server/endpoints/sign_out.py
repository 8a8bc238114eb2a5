"""The sign-out page: a person ends their sessions in this browser, all of them or that of one account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.authorization_server.authorization.answer import see_other
from ostiary.authorization_server.browser import browser_forms, cookies
from ostiary.authorization_server.browser.cookies import BrowserSecrets, Header
from ostiary.authorization_server.client_address import client_address
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.page_errors import page
from ostiary.authorization_server.http import Request, Response
from ostiary.revocation import revoke_session
from ostiary.revocation.act import Act
from ostiary.user_authentication import session as sessions
from ostiary.user_authentication.pages import render

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

PATH = "/sign-out"


@page
async def _sign_out(server: AuthorizationServer, request: Request) -> Response:
    secrets = cookies.read(server, request)
    if request.method == "POST":
        form = browser_forms.read(server, request, secrets)
        return await _end(server, request, secrets, form.get("session_id", ""))
    async with server.storage.read() as work:
        accounts = await sessions.of_browser(work, secrets, server.clock())
    return render(server, request, secrets, "sign-out", accounts=accounts, action=server.issuer.rstrip("/") + PATH)


async def _end(server: AuthorizationServer, request: Request, secrets: BrowserSecrets, session_id: str) -> Response:
    """End the session of this name if it is one of this browser; every session of it, if none is named."""
    now = server.clock()
    address = client_address(server, request)
    left = 0
    async with server.storage.write() as work:
        for session in await work.sessions.of_browser(secrets.session_digest):
            if session_id in ("", session.session_id):
                personal = {"address": address} if address else {}
                act = Act(f"user:{session.user_id}", now, "signed out", personal=personal)
                await revoke_session(work, session.session_id, act)
            else:
                left += 1
    headers: tuple[Header, ...] = () if left else (cookies.drop_session(server),)
    return see_other(server.issuer.rstrip("/") + PATH, headers)


ENDPOINT = Endpoint("sign_out", PATH, ("GET", "HEAD", "POST"), _sign_out)
