"""Ends sessions of the user's own: one, or all others. ASVS 7.5.2.

"Verify that users are able to view and (having authenticated again with at least one factor) terminate any or all
currently active sessions": ending is possible without that too, so that nobody waits to shut a stranger out.
"""

from __future__ import annotations

from ostiary.authorization_server.authorization.answer import see_other
from ostiary.authorization_server.browser import cookies
from ostiary.authorization_server.endpoints.account.visit import PATH, Visit, visited
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.http import Response
from ostiary.revocation import revoke_session
from ostiary.revocation.users import end_sessions_of

OTHERS = "others"


async def _sessions(visit: Visit) -> Response:
    named = (visit.form or {}).get("session_id", "")
    if named == OTHERS:
        async with visit.write() as work:
            await end_sessions_of(work, visit.user.user_id, visit.act, keep=visit.session.session_id)
        return visit.back("others_ended")
    async with visit.write() as work:
        session = await work.sessions.get(named)
        # Whose session it is decides, not who knows its name: that stands in tokens.
        own = session is not None and session.user_id == visit.user.user_id
        if own:
            await revoke_session(work, named, visit.act)
    if own and named == visit.session.session_id:
        headers = () if visit.others else (cookies.drop_session(visit.server),)
        return see_other(visit.server.issuer.rstrip("/") + PATH, headers)
    return visit.back("session_ended" if own else "")


ENDPOINT = Endpoint("account_sessions", PATH + "/sessions", ("POST",), visited(_sessions))
