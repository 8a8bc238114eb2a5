"""Changes the user's own password, or makes the first one.

"Verify that password change functionality requires the user's current and new password." ASVS 6.2.3. Guessing the
present one here is slowed as it is at the sign-in, and counts there.
"""

from __future__ import annotations

from ostiary.authorization_server.browser.interaction import Interaction
from ostiary.authorization_server.endpoints.account.visit import PATH, Visit, visited
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.http import Response
from ostiary.authorization_server.password_hashing import PASSWORD
from ostiary.errors import VerificationError
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication import news, password, sign_in
from ostiary.user_authentication.accounts import set_password_hash
from ostiary.user_authentication.attempt import Confirm, Place
from ostiary.user_authentication.password_rules import UnfitPassword, check_new_password


async def _password(visit: Visit) -> Response:
    async with visit.server.storage.read() as work:
        factors = await work.factors.of_user(visit.user.user_id)
    has_password = any(factor.kind == "password" for factor in factors)
    if visit.form is None:
        return _show(visit, has_password=has_password)
    new = visit.form.get("password", "")
    try:
        check_new_password(visit.server.settings.sign_in, new, visit.user)
        still = _still_none(visit)
        if has_password:
            still = await _verify_current(visit, visit.form.get("current", ""))
        with visit.server.passwords.slot() as slot:
            encoded = await slot.hash(new)
        async with visit.write() as work:
            await still(work)
            await set_password_hash(work, visit.user.user_id, encoded, visit.act)
            change: news.Change = "factor_changed" if has_password else "factor_added"
            await news.factor(visit.server, work, visit.user, change, "password", visit.now)
    except UnfitPassword as error:
        return _show(visit, error, "password", has_password=has_password)
    except VerificationError as error:
        return _show(visit, error, "current", has_password=has_password)
    return visit.back("password_changed")


def _still_none(visit: Visit) -> Confirm:
    """Checks in the transaction that no other page has made a password meanwhile."""

    async def confirm(work: UnitOfWork) -> None:
        if await work.factors.by_lookup("password", visit.user.user_id) is not None:
            raise VerificationError(PASSWORD, "there is a password already", seen="a password that was made meanwhile")

    return confirm


async def _verify_current(visit: Visit, current: str) -> Confirm:
    """What checks in the transaction that it still is the present one.

    Raises VerificationError: it is another password; TooManyTries; Unavailable.
    """
    here = Interaction(started_at=int(visit.now))
    place = Place(visit.server, visit.request, visit.secrets, here, visit.address, visit.now)
    attempt = await sign_in.first_attempt(
        place, password.METHOD, {"username": visit.user.username, "password": current}
    )
    try:
        proved = await password.prove(attempt)
        if proved.user_id != visit.user.user_id:
            raise VerificationError(PASSWORD, "the password is wrong", seen="the password of somebody else")
    except VerificationError as error:
        await sign_in.refuse(place, password.METHOD, error, attempt)
        raise
    if attempt.throttle is not None:
        async with visit.server.storage.write() as work:
            await attempt.throttle.succeeded(work)
    return proved.confirm


def _show(visit: Visit, error: Exception | None = None, wrong: str = "", *, has_password: bool) -> Response:
    return visit.show(
        "password-change",
        min_length=visit.server.settings.sign_in.password_min_length,
        has_password=has_password,
        username=visit.user.username,
        back_url=visit.url(),
        **sign_in.told(error, wrong),
    )


ENDPOINT = Endpoint("account_password", PATH + "/password", ("GET", "HEAD", "POST"), visited(_password, recent=True))
