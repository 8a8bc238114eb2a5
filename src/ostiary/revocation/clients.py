"""Disables a client, revokes its certificates and ends every token that it has."""

from __future__ import annotations

from dataclasses import replace

from ostiary.audit import tags
from ostiary.revocation.act import Act
from ostiary.revocation.certificate_rows import end_certificates_of
from ostiary.revocation.ended import NOTHING, Ended
from ostiary.storage.base import UnitOfWork


async def revoke_client(work: UnitOfWork, client_id: str, act: Act) -> Ended:
    """The client and what it had, if there was such a one and it was active until now.

    Enabling it again brings nothing back. One row of the log ends its access tokens, whatever obtained them.
    """
    # Certificates that it is being given now are either committed, and seen here, or decided after this commit.
    await work.positions(changing=True)
    client = await work.clients.get(client_id)
    if client is None or client.state == "disabled":
        return NOTHING
    await work.clients.replace(replace(client, state="disabled", updated_at=int(act.now)))
    # The row below ends the access tokens and is forgotten with the last of them; refresh tokens would live on.
    grants = await work.grants.end_of_users(client_id, int(act.now))
    certificates = await end_certificates_of(work, client_id, act, "cessationOfOperation")
    await work.revocations.append(act.row("client", client_id))
    await work.audit.append(act.event(tags.CLIENT_DISABLED, client_id, grants=str(grants)))
    return Ended(clients=1, grants=grants) + certificates
