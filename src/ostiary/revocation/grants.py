"""Ends a grant and every token that hangs on it."""

from __future__ import annotations

from ostiary.audit import tags
from ostiary.revocation.act import Act
from ostiary.storage.base import UnitOfWork


async def revoke_grant(work: UnitOfWork, grant_id: str, act: Act) -> bool:
    """Whether there was such a grant and it stood until now."""
    grant = await work.grants.get(grant_id)
    if grant is None or not await work.grants.end(grant_id, int(act.now)):
        return False
    await work.revocations.append(act.row("grant", grant_id))
    await work.audit.append(act.event(tags.GRANT_REVOKED, grant_id, client_id=grant.client_id))
    return True
