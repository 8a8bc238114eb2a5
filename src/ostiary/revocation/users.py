"""Disables a user, and ends what hangs on them; or ends what one client may do on their behalf."""

from __future__ import annotations

from dataclasses import replace

from ostiary.audit import tags
from ostiary.revocation.act import Act
from ostiary.revocation.ended import NOTHING, Ended
from ostiary.revocation.grants import end_grant, revoke_grant
from ostiary.revocation.sessions import end_session, revoke_session
from ostiary.shared_signals import acts
from ostiary.storage.base import UnitOfWork


async def revoke_user(work: UnitOfWork, user_id: str, act: Act) -> Ended:
    """Disable the account and end what hangs on it, if there was such a user and they were active until now.

    "Verify that the application terminates all active sessions when a user account is disabled or deleted." ASVS 7.4.2
    """
    user = await work.users.hold(user_id)
    if user is None or user.state == "disabled":
        return NOTHING
    await work.users.replace(replace(user, state="disabled", updated_at=int(act.now)))
    ended = await end_everything_of(work, user_id, act)
    await acts.tell(work, acts.account_disabled(user_id), actor=act.actor, now=act.now)
    await work.audit.append(act.event(tags.USER_DISABLED, user_id))
    return Ended(users=1) + ended


async def end_everything_of(work: UnitOfWork, user_id: str, act: Act) -> Ended:
    """End every session and every grant of the user, and every token at all clients and APIs.

    One row of the log does the latter, however much there is, with one more for each name that the user has at clients
    which are to know them by no other (pairwise subjects, OpenID Connect Core 8.1).
    """
    await work.users.hold(user_id)
    # Before the sessions end: grants end with them and would no longer be found.
    names = {grant.subject for grant in await work.grants.standing_of_user(user_id)}
    ended = NOTHING
    for session in await work.sessions.of_user(user_id):
        ended += await end_session(work, session, act)
    for grant in await work.grants.standing_of_user(user_id):
        ended += await end_grant(work, grant, act)
    for name in (user_id, *sorted(names - {user_id})):
        await work.revocations.append(act.row("sub", name))
    return ended


async def end_sessions_of(work: UnitOfWork, user_id: str, act: Act, *, keep: str = "") -> Ended:
    """End the sessions of the user but for the one called ``keep``."""
    await work.users.hold(user_id)
    ended = NOTHING
    for session in await work.sessions.of_user(user_id):
        if session.session_id != keep:
            ended += await revoke_session(work, session.session_id, act)
    return ended


async def revoke_consent(work: UnitOfWork, user_id: str, client_id: str, act: Act) -> Ended:
    """Forget what the user allowed the client and end every grant of it."""
    await work.users.hold(user_id)
    ended = Ended(consents=await work.consents.remove(user_id, client_id))
    for grant in await work.grants.standing_of_user(user_id, client_id):
        ended += await revoke_grant(work, grant.grant_id, act)
    if ended:
        await work.audit.append(act.event(tags.CONSENT_REVOKED, user_id, client_id=client_id))
    return ended
