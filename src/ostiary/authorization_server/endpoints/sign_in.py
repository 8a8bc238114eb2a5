"""The sign-in page: a person proves themselves by the first factor, and goes on to where their browser was going."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.authorization_server import browser_forms, cookies, interaction
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.page_errors import page
from ostiary.authorization_server.form import parse
from ostiary.authorization_server.http import Request, Response
from ostiary.errors import VerificationError
from ostiary.user_authentication import sign_in
from ostiary.user_authentication.attempt import Method, Place
from ostiary.user_authentication.methods import METHODS
from ostiary.user_authentication.pages import render
from ostiary.user_authentication.throttle import TooManyTries

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer


async def _sign_in(server: AuthorizationServer, request: Request) -> Response:
    if request.method == "POST":
        return await _send(server, request)
    if interaction.PARAMETER not in parse(request.query):
        return await sign_in.begin_anew(server, cookies.read(server, request))
    place = sign_in.place_of(server, request)
    return _show(place, username=place.interaction.parameters.get("login_hint", ""))


async def _send(server: AuthorizationServer, request: Request) -> Response:
    form = browser_forms.read(server, request, cookies.read(server, request))
    place = sign_in.place_of(server, request)
    method = _method(form)
    attempt = await sign_in.first_attempt(place, form)
    try:
        return await sign_in.take(place, await method.prove(attempt), throttle=attempt.throttle)
    except VerificationError as error:
        await sign_in.refuse(place, method, error, attempt)
        return _refused(place, form, error)


def _method(form: dict[str, str]) -> Method:
    for method in METHODS:
        if method.first and method.field in form:
            return method
    return next(method for method in METHODS if method.first)


def _refused(place: Place, form: dict[str, str], error: VerificationError) -> Response:
    username = form.get("username", "")[: sign_in.MAX_TYPED]
    if isinstance(error, TooManyTries):
        headers = ((b"retry-after", str(error.wait).encode("ascii")),)
        return _show(place, username=username, status=429, problem="throttled", wait=error.wait, headers=headers)
    # One answer for a wrong password, a user who is not there, one without a password and one who is disabled.
    return _show(place, username=username, status=400, problem="credentials")


def _show(
    place: Place,
    *,
    username: str,
    status: int = 200,
    problem: str = "",
    wait: int = 0,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> Response:
    return render(
        place.server,
        place.request,
        place.secrets,
        "sign-in",
        status=status,
        headers=headers,
        username=username,
        problem=problem,
        minutes=-(-wait // 60),
        action=sign_in.same_page(place, sign_in.SIGN_IN),
    )


ENDPOINT = Endpoint("sign_in", "/sign-in", ("GET", "HEAD", "POST"), page(_sign_in))
