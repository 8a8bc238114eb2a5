"""Removes a factor of the user's own, but never the last way to sign in."""

from __future__ import annotations

from ostiary.authorization_server.endpoints.account.overview import has_another_way, show
from ostiary.authorization_server.endpoints.account.visit import PATH, Visit, visited
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.http import Response
from ostiary.user_authentication import news
from ostiary.user_authentication.accounts import remove_factor


async def _factors(visit: Visit) -> Response:
    named = (visit.form or {}).get("factor_id", "")
    async with visit.write() as work:
        # Of two that remove the last two, one waits for the other (the user is held) and finds its own to be the last.
        factors = await work.factors.of_user(visit.user.user_id)
        last = not has_another_way(factors, named)
        removed = not last and await remove_factor(work, visit.user.user_id, named, visit.act)
        for factor in factors:
            if removed and factor.factor_id == named:
                await news.factor(visit.server, work, visit.user, "factor_removed", factor.kind, visit.now)
    if last:
        return await show(visit, status=400, problem="last_factor")
    return visit.back("factor_removed" if removed else "")


ENDPOINT = Endpoint("account_factors", PATH + "/factors", ("POST",), visited(_factors, recent=True))
