"""Ends a grant and every token that hangs on it: the family of refresh tokens and the access tokens."""

from __future__ import annotations

from ostiary.audit import tags
from ostiary.model.grant import Grant
from ostiary.revocation.act import Act
from ostiary.revocation.ended import NOTHING, Ended
from ostiary.storage.base import UnitOfWork


async def revoke_grant(work: UnitOfWork, grant_id: str, act: Act) -> Ended:
    """The grant, if there was such a one and it stood until now.

    RFC 7009 2.1: to end a refresh token is to end "all access tokens based on the same authorization grant".
    """
    grant = await work.grants.get(grant_id)
    if grant is None or not await end_grant(work, grant, act):
        return NOTHING
    await work.revocations.append(act.row("grant", grant_id))
    return Ended(grants=1)


async def end_grant(work: UnitOfWork, grant: Grant, act: Act) -> Ended:
    """The same without a row of the log, for an act whose own row ends the access tokens."""
    if not await work.grants.end(grant.grant_id, int(act.now)):
        return NOTHING
    # A refresh token that was used a moment ago is good for its successor once more, unless its window is shut.
    await work.refresh_tokens.close_windows(grant.grant_id)
    await work.audit.append(act.event(tags.GRANT_REVOKED, grant.grant_id, client_id=grant.client_id))
    return Ended(grants=1)
