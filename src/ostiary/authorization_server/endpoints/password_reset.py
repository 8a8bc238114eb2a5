"""The pages of a forgotten password: where it is told, and where the link of the e-mail leads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.authorization_server.browser import browser_forms, cookies
from ostiary.authorization_server.browser.cookies import BrowserSecrets, Header
from ostiary.authorization_server.client_address import client_address
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.page_errors import page
from ostiary.authorization_server.form import parse
from ostiary.authorization_server.http import Request, Response
from ostiary.errors import OAuthError, VerificationError
from ostiary.user_authentication import password_reset, sign_in
from ostiary.user_authentication.email_links import PARAMETER
from ostiary.user_authentication.pages import render
from ostiary.user_authentication.password_rules import UnfitPassword
from ostiary.user_authentication.sign_in import MAX_TYPED, SIGN_IN
from ostiary.user_authentication.throttle import TooManyTries

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer


@page
async def _request(server: AuthorizationServer, request: Request) -> Response:
    _check_is_offered(server)
    secrets, headers = await cookies.known(server, request)
    action = server.issuer.rstrip("/") + password_reset.PATH
    if request.method != "POST":
        return render(server, request, secrets, "reset-request", headers=headers, action=action)
    form = browser_forms.read(server, request, secrets)
    email = form.get("email", "")[:MAX_TYPED]
    try:
        await password_reset.wish(server, email, client_address(server, request))
    except TooManyTries as error:
        told = sign_in.told(error, "")
        return render(server, request, secrets, "reset-request", action=action, email=email, **told)
    # One answer, whether there is such a user, whether the address is one, and whether a letter is on its way already.
    return _message(server, request, secrets, "reset_sent")


@page
async def _link(server: AuthorizationServer, request: Request) -> Response:
    _check_is_offered(server)
    secrets, headers = await cookies.known(server, request)
    form = browser_forms.read(server, request, secrets) if request.method == "POST" else None
    token = (parse(request.query) if form is None else form).get(PARAMETER, "")
    try:
        if form is None:
            await password_reset.look(server, token)
            return _form(server, request, secrets, token, headers=headers)
        await password_reset.reset(server, token, form.get("password", ""), client_address(server, request))
    except UnfitPassword:
        return _form(server, request, secrets, token, status=400, problem="password")
    except VerificationError:
        return _message(server, request, secrets, "link_dead", status=400, path=password_reset.PATH)
    return _message(server, request, secrets, "reset_done")


def _check_is_offered(server: AuthorizationServer) -> None:
    if not server.settings.email.is_set_up:
        raise OAuthError(
            "invalid_request",
            "passwords cannot be reset by e-mail here: ask whoever runs this server",
            status=404,
            check="email",
            seen="no e-mail is set up",
            mend="set email.smtp_host",
        )


def _form(
    server: AuthorizationServer,
    request: Request,
    secrets: BrowserSecrets,
    token: str,
    *,
    status: int = 200,
    headers: tuple[Header, ...] = (),
    problem: str = "",
) -> Response:
    return render(
        server,
        request,
        secrets,
        "reset",
        status=status,
        headers=headers,
        token=token,
        problem=problem,
        min_length=server.settings.sign_in.password_min_length,
        action=server.issuer.rstrip("/") + password_reset.LINK_PATH,
    )


def _message(
    server: AuthorizationServer,
    request: Request,
    secrets: BrowserSecrets,
    about: str,
    *,
    status: int = 200,
    path: str = SIGN_IN,
) -> Response:
    next_url = server.issuer.rstrip("/") + path
    return render(server, request, secrets, "message", status=status, about=about, next_url=next_url)


REQUEST = Endpoint("reset", password_reset.PATH, ("GET", "HEAD", "POST"), _request)
LINK = Endpoint("reset_password", password_reset.LINK_PATH, ("GET", "HEAD", "POST"), _link)
