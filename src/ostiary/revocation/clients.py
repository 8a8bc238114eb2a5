"""Disables a client, revokes its certificates and ends every token that it has."""

from __future__ import annotations

from dataclasses import replace

from ostiary.audit import tags
from ostiary.revocation.act import Act
from ostiary.revocation.certificate_rows import revoke_certificates_of
from ostiary.storage.base import UnitOfWork


async def revoke_client(work: UnitOfWork, client_id: str, act: Act) -> bool:
    """Whether there was such a client and it was active until now. Enabling it again brings no token back."""
    # Certificates that it is being given now are either committed, and seen here, or decided after this commit.
    await work.positions(changing=True)
    client = await work.clients.get(client_id)
    if client is None or client.state == "disabled":
        return False
    await work.clients.replace(replace(client, state="disabled", updated_at=int(act.now)))
    # The row below ends the access tokens and is forgotten with the last of them; refresh tokens would live on.
    await work.grants.end_of_users(client_id, int(act.now))
    await revoke_certificates_of(work, client_id, act, "cessationOfOperation")
    await work.revocations.append(act.row("client", client_id))
    await work.audit.append(act.event(tags.CLIENT_DISABLED, client_id))
    return True
