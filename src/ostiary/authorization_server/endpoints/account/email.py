"""The user's own e-mail address: another one, or the present one, is confirmed by a link that is sent to it."""

from __future__ import annotations

from ostiary.authorization_server import form as forms
from ostiary.authorization_server.endpoints.account.visit import ACCOUNT, PATH, Visit, visited
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.http import Response
from ostiary.errors import OAuthError, VerificationError
from ostiary.user_authentication import address_verification, names, sign_in
from ostiary.user_authentication.email_links import PARAMETER
from ostiary.user_authentication.throttle import TooManyTries

EMAIL = "/email"


async def _email(visit: Visit) -> Response:
    if not visit.server.settings.email.is_set_up:
        raise OAuthError("invalid_request", "no e-mail is sent from here: ask whoever runs this server", status=404)
    if visit.form is None:
        return _show(visit, visit.user.email)
    typed = visit.form.get("email", "")[: names.MAX_EMAIL_LENGTH]
    try:
        email = names.email(typed)
        if not email:
            raise ValueError("must be given")
        await address_verification.send_link(visit.server, visit.write, visit.user, email, visit.act)
    except (ValueError, TooManyTries) as error:
        return _show(visit, typed, error)
    return visit.show("message", about="verification_sent", next_url=visit.url())


def _show(visit: Visit, email: str, error: Exception | None = None) -> Response:
    told = sign_in.told(error, "email")
    return visit.show("email-change", email=email, action=visit.url(EMAIL), back_url=visit.url(), **told)


async def _verify(visit: Visit) -> Response:
    token = (visit.form if visit.form is not None else forms.parse(visit.request.query)).get(PARAMETER, "")
    try:
        if visit.form is None:
            return await _show_link(visit, token)
        async with visit.write() as work:
            await address_verification.verify(visit.server, work, token, visit.user, visit.act)
    except VerificationError:
        return visit.show("message", status=400, about="link_dead", next_url=visit.url(EMAIL))
    return visit.show("message", about="email_verified", next_url=visit.url())


async def _show_link(visit: Visit, token: str) -> Response:
    """Ask the user of the link, one of those who are signed in here, whether they want it. Raises VerificationError."""
    here = [(visit.session, visit.user), *visit.others]
    link = await address_verification.look(visit.server, token, [user for _, user in here])
    session_id = next(session.session_id for session, user in here if user.user_id == link.user.user_id)
    action = f"{visit.server.issuer.rstrip('/')}{address_verification.PATH}?{ACCOUNT}={session_id}"
    return visit.show("verify-email", token=token, email=link.email, username=link.user.username, action=action)


CHANGE = Endpoint("account_email", PATH + EMAIL, ("GET", "HEAD", "POST"), visited(_email, recent=True))
VERIFY = Endpoint("verify_email", address_verification.PATH, ("GET", "HEAD", "POST"), visited(_verify))
