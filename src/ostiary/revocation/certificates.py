"""Revokes a certificate of our own CA, and the client that it belongs to only where that is asked for."""

from __future__ import annotations

from typing import Final

from ostiary.model.certificate import RevocationReason, proved_by_certificate, proved_by_client
from ostiary.revocation.act import Act
from ostiary.revocation.certificate_rows import end_certificate, end_certificates_given_for
from ostiary.revocation.clients import revoke_client
from ostiary.revocation.ended import NOTHING, Ended
from ostiary.storage.base import UnitOfWork

_SAYS_NOTHING_OF_THE_HOLDER: Final = ("superseded", "cACompromise")


async def revoke_certificate(
    work: UnitOfWork, serial: str, act: Act, reason: RevocationReason = "unspecified", *, with_client: bool = False
) -> Ended:
    """The certificate and what ended with it, if there was one and it was not revoked until now, for good.

    With it ends what was obtained by it: its successors, and theirs; but not where the reason is that a successor has
    taken its place (``superseded``) or that its issuer fell (``cACompromise``: that makes nobody a thief of this one).

    with_client: its client is disabled too, with everything that it has; also if the certificate was revoked before.
    """
    # What is being issued by it now is either committed, and seen here, or decided after this commit.
    await work.positions(changing=True)
    found = await work.certificates.get(serial)
    if found is None:
        return NOTHING
    ended = await end_certificate(work, found, act, reason)
    if ended and reason not in _SAYS_NOTHING_OF_THE_HOLDER:
        for proof in (proved_by_certificate(serial), proved_by_client(found.thumbprint)):
            ended += await end_certificates_given_for(work, proof, act)
    if with_client and found.client_id:
        ended += await revoke_client(work, found.client_id, act)
    return ended
