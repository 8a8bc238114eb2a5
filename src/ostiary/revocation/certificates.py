"""Revokes a certificate of our own CA, and the client that it belongs to only where that is asked for."""

from __future__ import annotations

from ostiary.model.certificate import RevocationReason
from ostiary.revocation.act import Act
from ostiary.revocation.certificate_rows import end_certificate
from ostiary.revocation.clients import revoke_client
from ostiary.storage.base import UnitOfWork


async def revoke_certificate(
    work: UnitOfWork, serial: str, act: Act, reason: RevocationReason = "unspecified", *, with_client: bool = False
) -> bool:
    """Whether there was such a certificate and it was not revoked until now. It stays revoked for good.

    with_client: its client is disabled too, with everything that it has; also if the certificate was revoked before.
    """
    ended = await end_certificate(work, serial, act, reason)
    if with_client:
        found = await work.certificates.get(serial)
        if found is not None and found.client_id:
            await revoke_client(work, found.client_id, act)
    return ended is not None
