"""The page of the second factor: after the first one, or to step a session up; where it is demanded, set up here."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import msgspec

from ostiary.authorization_server.browser import browser_forms, cookies
from ostiary.authorization_server.browser.interaction import Interaction
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.page_errors import page
from ostiary.authorization_server.http import Request, Response
from ostiary.errors import VerificationError
from ostiary.model.factor import Factor
from ostiary.model.user import User
from ostiary.revocation.act import Act
from ostiary.user_authentication import second_factor, sign_in, totp
from ostiary.user_authentication.attempt import Place, Proved
from ostiary.user_authentication.methods import SECOND, chosen

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

CODE = "code"
"""What the page calls a wrong proof, but for a passkey."""

ENROLMENT = "enrolment"
"""The field by which the form that sets codes up is known: the seed that was shown, sealed."""


@page
async def _second_factor(server: AuthorizationServer, request: Request) -> Response:
    form = None
    if request.method == "POST":
        form = browser_forms.read(server, request, cookies.read(server, request))
    place = sign_in.place_of(server, request)
    user = await sign_in.half_way(place)
    if user is None:
        return sign_in.onward(place, sign_in.SIGN_IN, _from_the_start(place.interaction))
    if form is None:
        async with server.storage.read() as work:
            factors = await work.factors.of_user(user.user_id)
        return await _show(place, user, factors)
    return await _enrol(place, user, form) if ENROLMENT in form else await _send(place, user, form)


async def _send(place: Place, user: User, form: dict[str, str]) -> Response:
    method = chosen(SECOND, form)
    attempt = await sign_in.second_attempt(place, user, method, form)
    try:
        proved = await method.prove(attempt)
        return await sign_in.take(place, proved, throttle=attempt.throttle, second=True)
    except VerificationError as error:
        await sign_in.refuse(place, method, error, attempt)
        return await _show(place, user, attempt.factors, error, wrong="passkey" if method.kind == "passkey" else CODE)


async def _enrol(place: Place, user: User, form: dict[str, str]) -> Response:
    """Set codes up and sign in by the first of them."""
    attempt = await sign_in.second_attempt(place, user, totp.METHOD, form)
    act = Act(f"user:{user.user_id}", place.now, personal={"address": place.address} if place.address else {})
    try:
        await attempt.count()
        factor = totp.enrolled(place.server, user, form[ENROLMENT], form.get("code", ""), place.now)
        proved = Proved(user.user_id, totp.AMR, totp.adding(factor, act))
        return await sign_in.take(place, proved, throttle=attempt.throttle, second=True)
    except VerificationError as error:
        await sign_in.refuse(place, totp.METHOD, error, attempt)
        return await _show(place, user, attempt.factors, error, form[ENROLMENT])


async def _show(
    place: Place,
    user: User,
    factors: Collection[Factor],
    error: VerificationError | None = None,
    sealed: str = "",
    wrong: str = CODE,
) -> Response:
    """sealed: of the seed that was shown before, to be shown again."""
    enrolment = None
    if second_factor.must_be_set_up(factors):
        enrolment = totp.begin_enrolment(place.server, user, place.now, again=sealed)
    return await sign_in.show(
        place,
        "second-factor",
        sign_in.SECOND_FACTOR,
        username=user.username,
        kinds=sorted({factor.kind for factor in factors}),
        enrolment=enrolment,
        qr=enrolment.picture if enrolment is not None else "",
        passkey_options=sign_in.passkey_options_url(place),
        **sign_in.told(error, wrong),
    )


def _from_the_start(state: Interaction) -> Interaction:
    return msgspec.structs.replace(state, user_id="", amr=(), proved_at=0, first_proofs="", step_up=False)


ENDPOINT = Endpoint("second_factor", sign_in.SECOND_FACTOR, ("GET", "HEAD", "POST"), _second_factor)
