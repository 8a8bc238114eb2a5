"""Ends a session, its tokens, and the grants that were to last no longer than it."""

from __future__ import annotations

from ostiary.audit import tags
from ostiary.revocation.act import Act
from ostiary.revocation.grants import revoke_grant
from ostiary.storage.base import UnitOfWork

OFFLINE_ACCESS = "offline_access"


async def revoke_session(work: UnitOfWork, session_id: str, act: Act) -> bool:
    """Whether there was such a session and it had not been ended until now.

    Tokens issued until now that bear its ``sid`` end. A grant with ``offline_access`` survives its session, every other
    one ends with it: OpenID Connect Back-Channel Logout 1.0 section 2.7.
    """
    session = await work.sessions.get(session_id)
    if session is None or not await work.sessions.end(session_id, int(act.now)):
        return False
    await work.revocations.append(act.row("sid", session_id))
    for grant in await work.grants.standing_of_session(session_id):
        if OFFLINE_ACCESS not in grant.scopes.get("", ()):
            await revoke_grant(work, grant.grant_id, act)
    await work.audit.append(act.event(tags.SESSION_ENDED, session_id, user_id=session.user_id))
    return True
