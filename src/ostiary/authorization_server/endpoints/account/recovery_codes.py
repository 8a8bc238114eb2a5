"""Gives the signed-in user new recovery codes: shown first, and kept only when the user says that they have them.

Until then the codes travel with the page, sealed for this user; afterwards nobody can read them again.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ostiary.authorization_server.endpoints.account.visit import PATH, Visit, visited
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.http import Response
from ostiary.errors import VerificationError
from ostiary.model.factor import Factor
from ostiary.user_authentication import news, recovery_code

LIFE = 900
"""Seconds that a user may take to write them down."""

_SEAL = "recovery-codes"


class _Pending(msgspec.Struct, frozen=True):
    codes: tuple[str, ...]
    begun_at: int


async def _recovery_codes(visit: Visit) -> Response:
    if visit.form is None:
        return await _show(visit)
    pending = _opened(visit, visit.form.get("codes", ""))
    if visit.form.get("kept") != "yes":
        return await _show(visit, pending, status=400)
    user_id = visit.user.user_id
    async with visit.write() as work:
        # The same page sent again must not bring back a code that was used meanwhile.
        if not any(one.created_at >= pending.begun_at for one in _codes(await work.factors.of_user(user_id))):
            await recovery_code.replace_codes(work, user_id, pending.codes, visit.act)
            await news.factor(visit.server, work, visit.user, "factor_changed", "recovery_code", visit.now)
    return visit.back("codes_saved")


def _opened(visit: Visit, sealed: str) -> _Pending:
    """Raises VerificationError: it was not made for this user, or it is too old."""
    plain = visit.server.seals.open_text(_SEAL, sealed, context=visit.user.user_id.encode("ascii"))
    pending = msgspec.json.decode(plain, type=_Pending)
    if visit.now > pending.begun_at + LIFE:
        raise VerificationError(_SEAL, "this page has expired", mend="open the page again")
    return pending


async def _show(visit: Visit, pending: _Pending | None = None, *, status: int = 200) -> Response:
    if pending is None:
        pending = _Pending(tuple(recovery_code.new_codes()), int(visit.now))
    async with visit.server.storage.read() as work:
        present = _codes(await work.factors.of_user(visit.user.user_id))
    context = visit.user.user_id.encode("ascii")
    return visit.show(
        "recovery-codes",
        status=status,
        codes=pending.codes,
        sealed=visit.server.seals.seal_text(_SEAL, msgspec.json.encode(pending), context=context),
        replaces=bool(present),
        back_url=visit.url(),
    )


def _codes(factors: Sequence[Factor]) -> list[Factor]:
    return [factor for factor in factors if factor.kind == "recovery_code"]


ENDPOINT = Endpoint(
    "account_recovery_codes", PATH + "/recovery-codes", ("GET", "HEAD", "POST"), visited(_recovery_codes, recent=True)
)
