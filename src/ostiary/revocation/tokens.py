"""Ends one access token of either format: RFC 7009."""

from __future__ import annotations

from ostiary.audit import tags
from ostiary.model.token import TAKEN_BEYOND_ITS_END, AccessToken
from ostiary.revocation.act import Act
from ostiary.revocation.ended import NOTHING, Ended
from ostiary.storage.base import UnitOfWork


async def revoke_token(work: UnitOfWork, token: AccessToken, act: Act) -> Ended:
    """The token, if any API could take it until now; one that has ended already is left as it is."""
    if token.expires_at + TAKEN_BEYOND_ITS_END <= act.now or await work.revocations.ends(token) is not None:
        return NOTHING
    await work.revocations.append(act.row("jti", token.jti, expires_at=token.expires_at))
    await work.audit.append(act.event(tags.TOKEN_REVOKED, token.jti, client_id=token.client_id, api=token.audience))
    return Ended(tokens=1)
