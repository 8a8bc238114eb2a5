"""Disables a user, and ends what hangs on them; or ends what one client may do on their behalf."""

from __future__ import annotations

from dataclasses import replace

from ostiary.audit import tags
from ostiary.revocation.act import Act
from ostiary.revocation.grants import revoke_grant
from ostiary.revocation.sessions import revoke_session
from ostiary.shared_signals import acts
from ostiary.storage.base import UnitOfWork


async def revoke_user(work: UnitOfWork, user_id: str, act: Act) -> bool:
    """Whether there was such a user and they were active until now: disables the account, ends sessions and grants.

    "Verify that the application terminates all active sessions when a user account is disabled or deleted." ASVS 7.4.2
    """
    user = await work.users.hold(user_id)
    if user is None or user.state == "disabled":
        return False
    await work.users.replace(replace(user, state="disabled", updated_at=int(act.now)))
    await end_everything_of(work, user_id, act)
    await acts.tell(work, acts.account_disabled(user_id), actor=act.actor, now=act.now)
    await work.audit.append(act.event(tags.USER_DISABLED, user_id))
    return True


async def end_everything_of(work: UnitOfWork, user_id: str, act: Act) -> int:
    """End every session and every grant of the user, and every token; how many sessions and grants."""
    ended = await end_sessions_of(work, user_id, act)
    for grant in await work.grants.standing_of_user(user_id):
        ended += await revoke_grant(work, grant.grant_id, act)
    await work.revocations.append(act.row("sub", user_id))
    return ended


async def end_sessions_of(work: UnitOfWork, user_id: str, act: Act, *, keep: str = "") -> int:
    """End the sessions of the user but for the one called ``keep``; how many."""
    await work.users.hold(user_id)
    ended = 0
    for session in await work.sessions.of_user(user_id):
        if session.session_id != keep:
            ended += await revoke_session(work, session.session_id, act)
    return ended


async def revoke_consent(work: UnitOfWork, user_id: str, client_id: str, act: Act) -> bool:
    """Forget what the user allowed the client and end every grant of it; whether there was anything."""
    await work.users.hold(user_id)
    removed = await work.consents.remove(user_id, client_id)
    ended = 0
    for grant in await work.grants.standing_of_user(user_id, client_id):
        ended += await revoke_grant(work, grant.grant_id, act)
    if removed or ended:
        await work.audit.append(act.event(tags.CONSENT_REVOKED, user_id, client_id=client_id))
    return bool(removed or ended)
