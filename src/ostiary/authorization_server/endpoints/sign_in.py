"""The sign-in page: a person proves themselves by the first factor, and goes on to where their browser was going."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.authorization_server.browser import browser_forms, cookies, interaction
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.page_errors import page
from ostiary.authorization_server.form import parse
from ostiary.authorization_server.http import Request, Response
from ostiary.errors import VerificationError
from ostiary.user_authentication import sign_in
from ostiary.user_authentication.attempt import Place
from ostiary.user_authentication.methods import FIRST, chosen

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

CREDENTIALS = "credentials"
"""What the page calls a wrong proof, but for a passkey."""


@page
async def _sign_in(server: AuthorizationServer, request: Request) -> Response:
    if request.method == "POST":
        return await _send(server, request)
    if interaction.PARAMETER not in parse(request.query):
        return await sign_in.begin_anew(server, cookies.read(server, request))
    place = sign_in.place_of(server, request)
    return await _show(place, place.interaction.parameters.get("login_hint", ""))


async def _send(server: AuthorizationServer, request: Request) -> Response:
    form = browser_forms.read(server, request, cookies.read(server, request))
    place = sign_in.place_of(server, request)
    method = chosen(FIRST, form)
    attempt = await sign_in.first_attempt(place, method, form)
    try:
        return await sign_in.take(place, await method.prove(attempt), throttle=attempt.throttle)
    except VerificationError as error:
        await sign_in.refuse(place, method, error, attempt)
        wrong = "passkey" if method.kind == "passkey" else CREDENTIALS
        return await _show(place, form.get("username", "")[: sign_in.MAX_TYPED], error, wrong)


async def _show(
    place: Place, username: str, error: VerificationError | None = None, wrong: str = CREDENTIALS
) -> Response:
    # One answer for a wrong password, a user who is not there, one without a password and one who is disabled.
    told = sign_in.told(error, wrong)
    options = sign_in.passkey_options_url(place)
    upstreams = [
        {"id": name, "name": one.name, "url": sign_in.url_of(place, f"/upstream/{name}/start")}
        for name, one in place.server.settings.upstream.items()
    ]
    return await sign_in.show(
        place,
        "sign-in",
        sign_in.SIGN_IN,
        username=username,
        passkey_options=options,
        reset=place.server.settings.email.is_set_up,
        upstreams=upstreams,
        **told,
    )


ENDPOINT = Endpoint("sign_in", sign_in.SIGN_IN, ("GET", "HEAD", "POST"), _sign_in)
