"""What an operator ends: a client, a client's key, an API; each with all that hangs on it.

What stands in ``ostiary.toml`` can be ended too, at once and for good, though not be changed otherwise: a leak does not
wait for a restart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from ostiary import revocation
from ostiary.admin.existing import NotThere, existing_api, existing_client
from ostiary.audit import tags
from ostiary.model.api import Api
from ostiary.model.client import Client
from ostiary.model.client_key import ClientKey
from ostiary.revocation.act import Act
from ostiary.storage.base import Storage


async def disable_client(storage: Storage, client_id: str, act: Act) -> Client:
    """Disable the client and end its tokens; the next request of every process knows. Raises ConfigurationError."""
    async with storage.write() as work:
        await existing_client(work, client_id)
        await revocation.revoke_client(work, client_id, act)
        return await existing_client(work, client_id)


async def disable_api(storage: Storage, identifier: str, act: Act) -> Api:
    """From the next request of every process on the API gets no token, and what it has is inactive at introspection.

    Raises ConfigurationError.
    """
    async with storage.write() as work:
        api = await existing_api(work, identifier)
        if api.state == "disabled":
            return api
        disabled = replace(api, state="disabled", updated_at=int(act.now))
        await work.apis.replace(disabled)
        await work.audit.append(act.event(tags.API_DISABLED, identifier))
        return disabled


async def end_client_key(
    storage: Storage, client_id: str, kid: str, state: Literal["retired", "revoked"], act: Act
) -> list[ClientKey]:
    """Retire or revoke the key and those it registered; which ended. Raises ConfigurationError."""
    async with storage.write() as work:
        await existing_client(work, client_id)
        key = await work.client_keys.get(client_id, kid)
        if key is None:
            raise NotThere(f"client {client_id!r} has no key {kid!r}: see `ostiary client keys list {client_id}`")
        family = [key, *await work.client_keys.descendants(key.thumbprint)]
        end = revocation.retire_client_key if state == "retired" else revocation.revoke_client_key
        await end(work, key.thumbprint, act)
        now = {member.kid: member for member in await work.client_keys.of_client(client_id)}
        return [now[before.kid] for before in family if now[before.kid].state != before.state]
