"""A certificate of our own CA ends, with every token that was obtained by it; whose it is stays as it was."""

from __future__ import annotations

from ostiary.audit import tags
from ostiary.model.certificate import Certificate, RevocationReason, proved_by_certificate, proved_by_client
from ostiary.revocation.act import Act
from ostiary.storage.base import UnitOfWork


async def end_certificate(
    work: UnitOfWork, serial: str, act: Act, reason: RevocationReason, **cause: str
) -> Certificate | None:
    """The certificate, if there was one and it was not revoked until now. It stays revoked for good.

    cause: why it ends, for the audit log.
    """
    found = await work.certificates.get(serial)
    if found is None or not await work.certificates.revoke(serial, at=int(act.now), reason=reason):
        return None
    # Tokens name what obtained them by its thumbprint, whether that is a key or a certificate.
    await work.revocations.append(act.row("client_key", found.thumbprint))
    holder = found.client_id or found.owner
    event = act.event(tags.CERTIFICATE_REVOKED, holder, serial=serial, thumbprint=found.thumbprint, why=reason, **cause)
    await work.audit.append(event)
    return found


async def end_certificates_given_for(work: UnitOfWork, proof: str, act: Act) -> list[Certificate]:
    """End what was given for this proof, and what was given for that in turn; which ended.

    Whoever had stolen the proof may have got the next certificate by it, for a key of their own, and the next by that.
    """
    ended: list[Certificate] = []
    proofs, seen = [proof], {proof}
    while proofs:
        present = proofs.pop()
        for one in await work.certificates.of_proof(present):
            if await end_certificate(work, one.serial, act, "unspecified", fell_with=present) is not None:
                ended.append(one)
            # Also below one that has ended before: what it got may live.
            further = {proved_by_certificate(one.serial), proved_by_client(one.thumbprint)} - seen
            seen |= further
            proofs += sorted(further)
    return ended


async def revoke_certificates_of(work: UnitOfWork, client_id: str, act: Act, reason: RevocationReason) -> int:
    """Revoke every certificate of the client that has not expired; how many."""
    count = 0
    for one in await work.certificates.of_client(client_id, now=int(act.now)):
        count += await end_certificate(work, one.serial, act, reason) is not None
    return count
