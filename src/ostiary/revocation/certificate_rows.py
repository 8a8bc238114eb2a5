"""A certificate of our own CA ends, with every token that was obtained by it; whose it is stays as it was."""

from __future__ import annotations

from ostiary.audit import tags
from ostiary.model.certificate import Certificate, RevocationReason, proved_by_certificate, proved_by_client
from ostiary.revocation.act import Act
from ostiary.revocation.ended import NOTHING, Ended
from ostiary.storage.base import UnitOfWork


async def end_certificate(
    work: UnitOfWork, found: Certificate, act: Act, reason: RevocationReason, **cause: str
) -> Ended:
    """The certificate, if it was not revoked until now. It stays revoked for good. cause: why, for the audit log."""
    ended = await _end(work, found, act, reason, **cause)
    if ended:
        # Tokens name what obtained them by its thumbprint, whether that is a key or a certificate.
        await work.revocations.append(act.row("client_key", found.thumbprint))
    return ended


async def end_certificates_given_for(work: UnitOfWork, proof: str, act: Act) -> Ended:
    """End what was given for this proof, and what was given for that in turn.

    Whoever had stolen the proof may have got the next certificate by it, for a key of their own, and the next by that.
    """
    ended = NOTHING
    proofs, seen = [proof], {proof}
    while proofs:
        present = proofs.pop()
        for one in await work.certificates.of_proof(present):
            ended += await end_certificate(work, one, act, "unspecified", fell_with=present)
            # Also below one that has ended before: what it got may live.
            further = {proved_by_certificate(one.serial), proved_by_client(one.thumbprint)} - seen
            seen |= further
            proofs += sorted(further)
    return ended


async def end_certificates_of(work: UnitOfWork, client_id: str, act: Act, reason: RevocationReason) -> Ended:
    """Every certificate of the client that has not expired, without rows of the log: for an act that ends the client.

    A token that was obtained by one of them, or is bound to it, is the client's own, so that the client's row ends it.
    """
    ended = NOTHING
    for one in await work.certificates.of_client(client_id, now=int(act.now)):
        ended += await _end(work, one, act, reason)
    return ended


async def _end(work: UnitOfWork, found: Certificate, act: Act, reason: RevocationReason, **cause: str) -> Ended:
    if not await work.certificates.revoke(found.serial, at=int(act.now), reason=reason):
        return NOTHING
    named = {"serial": found.serial, "thumbprint": found.thumbprint, "why": reason}
    await work.audit.append(act.event(tags.CERTIFICATE_REVOKED, found.client_id or found.owner, **named, **cause))
    return Ended(certificates=1)
