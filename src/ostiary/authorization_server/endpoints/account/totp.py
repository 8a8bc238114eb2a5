"""Sets up an authenticator application (RFC 6238) for the signed-in user."""

from __future__ import annotations

from ostiary.authorization_server.endpoints.account.visit import PATH, Visit, visited
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.http import Response
from ostiary.errors import VerificationError
from ostiary.user_authentication import names, news, totp
from ostiary.user_authentication.accounts import add_factor


async def _totp(visit: Visit) -> Response:
    if visit.form is None:
        return _show(visit)
    sealed, name = visit.form.get("enrolment", ""), visit.form.get("name", "")
    try:
        factor = totp.enrolled(visit.server, visit.user, sealed, visit.form.get("code", ""), visit.now, name)
    except VerificationError:
        return _show(visit, sealed, status=400, problem="code")
    async with visit.write() as work:
        # The same form sent twice, by a second click: the first has added it.
        if await work.factors.get(factor.factor_id) is None:
            await add_factor(work, factor, visit.act)
            await news.factor(visit.server, work, visit.user, "factor_added", "totp", visit.now)
    return visit.back("totp_added")


def _show(visit: Visit, sealed: str = "", *, status: int = 200, problem: str = "") -> Response:
    enrolment = totp.begin_enrolment(visit.server, visit.user, visit.now, again=sealed)
    return visit.show(
        "totp-enrol",
        status=status,
        enrolment=enrolment,
        qr=enrolment.picture,
        name_max=names.MAX_SHOWN,
        back_url=visit.url(),
        problem=problem,
    )


ENDPOINT = Endpoint("account_totp", PATH + "/totp", ("GET", "HEAD", "POST"), visited(_totp, recent=True))
