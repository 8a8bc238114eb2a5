"""A certificate of our own CA ends, with every token that was obtained by it; whose it is stays as it was."""

from __future__ import annotations

from ostiary.audit import tags
from ostiary.model.certificate import Certificate, RevocationReason
from ostiary.revocation.act import Act
from ostiary.storage.base import UnitOfWork


async def end_certificate(work: UnitOfWork, serial: str, act: Act, reason: RevocationReason) -> Certificate | None:
    """The certificate, if there was one and it was not revoked until now. It stays revoked for good."""
    found = await work.certificates.get(serial)
    if found is None or not await work.certificates.revoke(serial, at=int(act.now), reason=reason):
        return None
    # Tokens name what obtained them by its thumbprint, whether that is a key or a certificate.
    await work.revocations.append(act.row("client_key", found.thumbprint))
    holder = found.client_id or found.owner
    await work.audit.append(
        act.event(tags.CERTIFICATE_REVOKED, holder, serial=serial, thumbprint=found.thumbprint, why=reason)
    )
    return found


async def revoke_certificates_of(work: UnitOfWork, client_id: str, act: Act, reason: RevocationReason) -> int:
    """Revoke every certificate of the client that has not expired; how many."""
    count = 0
    for one in await work.certificates.of_client(client_id, now=int(act.now)):
        count += await end_certificate(work, one.serial, act, reason) is not None
    return count
