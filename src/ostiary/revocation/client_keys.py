"""Ends a client's key and those that descend from it: retired keys prove nothing new, revoked ones end their tokens."""

from __future__ import annotations

from ostiary.audit import tags
from ostiary.model.certificate import proved_by_client
from ostiary.model.client_key import ClientKey, KeyState
from ostiary.revocation.act import Act
from ostiary.revocation.certificate_rows import end_certificates_given_for
from ostiary.revocation.ended import NOTHING, Ended
from ostiary.storage.base import UnitOfWork


async def retire_client_key(work: UnitOfWork, thumbprint: str, act: Act) -> Ended:
    """Retire the key and its descendants, those that were active until now. Their tokens stay good."""
    ended = await _end(work, thumbprint, act, "retired", tags.CLIENT_KEY_RETIRED, frozenset(("active",)))
    return Ended(keys=len(ended))


async def revoke_client_key(work: UnitOfWork, thumbprint: str, act: Act) -> Ended:
    """Revoke the key and its descendants, with every token that they obtained; those that were not revoked before.

    An attacker who held a key may have registered the next one by it, so a key never survives its parent; nor do the
    certificates that it obtained, with their successors.
    """
    await work.positions(changing=True)
    ended = await _end(work, thumbprint, act, "revoked", tags.CLIENT_KEY_REVOKED, frozenset(("active", "retired")))
    certificates = NOTHING
    for key in ended:
        await work.revocations.append(act.row("client_key", key.thumbprint))
        certificates += await end_certificates_given_for(work, proved_by_client(key.thumbprint), act)
    return Ended(keys=len(ended)) + certificates


async def _end(
    work: UnitOfWork, thumbprint: str, act: Act, state: KeyState, tag: str, before: frozenset[KeyState]
) -> list[ClientKey]:
    key = await work.client_keys.by_thumbprint(thumbprint)
    if key is None:
        return []
    family = [key, *await work.client_keys.descendants(thumbprint)]
    ended = [member for member in family if member.state in before]
    for member in ended:
        await work.client_keys.set_state(member.thumbprint, state)
        cause = {} if member is key else {"fell_with": key.kid}
        await work.audit.append(
            act.event(tag, member.client_id, kid=member.kid, thumbprint=member.thumbprint, owner=member.owner, **cause)
        )
    return ended
