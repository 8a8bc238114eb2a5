"""What an operator ends of a user: account, session, factor, consent or grant; each with all that hangs on it.

ASVS 7.4.5: "Verify that application administrators are able to terminate active sessions for an individual user or for
all users."
"""

from __future__ import annotations

from dataclasses import replace

from ostiary import revocation
from ostiary.admin.existing import NotThere, existing_client
from ostiary.model.factor import Factor
from ostiary.model.grant import Grant
from ostiary.model.session import Session
from ostiary.model.user import User
from ostiary.revocation.act import Act
from ostiary.storage.base import Storage, UnitOfWork
from ostiary.user_authentication import accounts
from ostiary.user_authentication.accounts import existing_user


async def disable_user(storage: Storage, user_id: str, act: Act) -> User:
    """Disable the account and end all of it at once. Raises ConfigurationError."""
    async with storage.write() as work:
        await revocation.revoke_user(work, user_id, act)
        return await existing_user(work, user_id)


async def end_session(storage: Storage, session_id: str, act: Act) -> Session:
    """End one session and its tokens; the session as it was ended. Raises ConfigurationError."""
    async with storage.write() as work:
        session = await existing_session(work, session_id)
        await revocation.revoke_session(work, session_id, act)
        return session if session.ended_at is not None else replace(session, ended_at=int(act.now))


async def end_sessions(storage: Storage, user_id: str, act: Act) -> list[Session]:
    """End all sessions of the user; which. Raises ConfigurationError."""
    async with storage.write() as work:
        await existing_user(work, user_id)
        ended = await work.sessions.of_user(user_id)
        await revocation.end_sessions_of(work, user_id, act)
        return [replace(session, ended_at=int(act.now)) for session in ended]


async def remove_factor(storage: Storage, user_id: str, factor_id: str, act: Act, *, end_sessions: bool) -> Factor:
    """Take a factor from the user; the factor that it was. Raises ConfigurationError.

    end_sessions: whether the sessions of the user end too, because somebody else may have begun one by it.
    """
    async with storage.write() as work:
        factor = await work.factors.get(factor_id)
        removed = await accounts.remove_factor(work, user_id, factor_id, act)
        if factor is None or not removed:
            raise NotThere(f"the user has no factor {factor_id!r}: see `ostiary user factors list {user_id}`")
        if end_sessions:
            await revocation.end_sessions_of(work, user_id, act)
        return factor


async def revoke_consent(storage: Storage, user_id: str, client_id: str, act: Act) -> bool:
    """Forget what the user allowed the client and end its grants; whether there was anything."""
    async with storage.write() as work:
        await existing_user(work, user_id)
        await existing_client(work, client_id)
        return bool(await revocation.revoke_consent(work, user_id, client_id, act))


async def revoke_grant(storage: Storage, grant_id: str, act: Act) -> Grant:
    """End one grant of a user and its tokens; the grant as it is now. Raises ConfigurationError."""
    async with storage.write() as work:
        await existing_grant(work, grant_id)
        await revocation.revoke_grant(work, grant_id, act)
        return await existing_grant(work, grant_id)


async def existing_session(work: UnitOfWork, session_id: str) -> Session:
    """The session, ended or not. Raises NotThere."""
    session = await work.sessions.get(session_id)
    if session is None:
        raise NotThere(f"there is no session {session_id!r}: see `ostiary session list USER`")
    return session


async def existing_grant(work: UnitOfWork, grant_id: str) -> Grant:
    """The grant, if a user gave it: the standing grant of a client goes with the client. Raises NotThere."""
    grant = await work.grants.get(grant_id)
    if grant is None or not grant.user_id:
        raise NotThere(f"there is no grant {grant_id!r} of a user: see `ostiary grant list USER`")
    return grant
