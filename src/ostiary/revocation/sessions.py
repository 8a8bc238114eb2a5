"""Ends a session, its tokens, and the grants that were to last no longer than it."""

from __future__ import annotations

from ostiary.audit import tags
from ostiary.model.logout_notice import LogoutNotice
from ostiary.model.session import Session
from ostiary.revocation.act import Act
from ostiary.revocation.ended import NOTHING, Ended
from ostiary.shared_signals import acts
from ostiary.storage.base import UnitOfWork

OFFLINE_ACCESS = "offline_access"


async def revoke_session(work: UnitOfWork, session_id: str, act: Act) -> Ended:
    """The session and what ended with it, if there was such a one and it had not been ended until now.

    Tokens issued until now that bear its ``sid`` end, by one row of the log, however many grants there are. A grant
    with ``offline_access`` survives, every other one ends with it: OpenID Connect Back-Channel Logout 1.0 section 2.7.
    """
    session = await work.sessions.get(session_id)
    ended = NOTHING if session is None else await end_session(work, session, act)
    if ended:
        await work.revocations.append(act.row("sid", session_id))
    return ended


async def end_session(work: UnitOfWork, session: Session, act: Act) -> Ended:
    """The same without a row of the log, for an act whose own row ends the access tokens."""
    if not await work.sessions.end(session.session_id, int(act.now)):
        return NOTHING
    ended = 0
    for grant in await work.grants.standing_of_session(session.session_id):
        if OFFLINE_ACCESS not in grant.scopes.get("", ()):
            ended += await work.grants.end(grant.grant_id, int(act.now))
    await _tell_applications(work, session.session_id, act)
    signal = acts.session_revoked(session.user_id, session.session_id)
    await acts.tell(work, signal, actor=act.actor, now=act.now)
    event = act.event(tags.SESSION_ENDED, session.session_id, user_id=session.user_id, grants=str(ended))
    await work.audit.append(event)
    return Ended(sessions=1, grants=ended)


async def _tell_applications(work: UnitOfWork, session_id: str, act: Act) -> None:
    """Queue a logout token for each application that was used in the session and wants to be told."""
    told = set()
    for grant in await work.grants.of_session(session_id):
        client = await work.clients.get(grant.client_id)
        uri = client.login.backchannel_logout_uri if client is not None and client.login is not None else None
        if uri is None or (grant.client_id, grant.subject) in told:
            continue
        told.add((grant.client_id, grant.subject))
        notice = LogoutNotice(client_id=grant.client_id, sub=grant.subject, sid=session_id)
        await work.deliveries.add(notice.delivery(int(act.now)))
