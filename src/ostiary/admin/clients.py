"""Clients: made, changed, disabled, enabled, with their audit event in the same unit of work."""

from __future__ import annotations

import secrets
from dataclasses import replace

from ostiary.admin.client_keys import keys_of_command
from ostiary.admin.commands import ClientChanges, NewClient
from ostiary.admin.existing import registered_client
from ostiary.audit import tags
from ostiary.errors import ConfigurationError
from ostiary.model.client import Client, ClientKind
from ostiary.model.grant import Grant
from ostiary.revocation.act import Act
from ostiary.storage.base import Storage, UnitOfWork


async def create_client(storage: Storage, command: NewClient, act: Act) -> Client:
    """Make a client, its standing grant and its first keys, all or nothing.

    Raises ConfigurationError: the id or a key is taken, a key is weak or private, an API or scope does not exist.
    """
    async with storage.write() as work:
        return await add_client(work, command, act)


async def add_client(work: UnitOfWork, command: NewClient, act: Act, *, kind: ClientKind = "client") -> Client:
    """The same within a unit of work of the caller."""
    await _check_scopes(work, command.scopes)
    now = int(act.now)
    client = Client(
        client_id=command.client_id or new_client_id(kind),
        name=command.name,
        kind=kind,
        state="active",
        owner=command.owner,
        source="registered",
        authentication_method="private_key_jwt",
        grant_types=("client_credentials",) if kind == "client" else (),
        scopes={identifier: tuple(scopes) for identifier, scopes in command.scopes.items()},
        token_life=command.token_life,
        jwks_uri=command.jwks_uri,
        may_register_keys=command.may_register_keys,
        max_concurrency=command.max_concurrency,
        grant_id=f"gr_{secrets.token_urlsafe(12)}",
        created_at=now,
        updated_at=now,
    )
    await work.clients.add(client)
    await work.grants.add(
        Grant(client.grant_id, client.client_id, client.client_id, "client_credentials", now, None, None)
    )
    for key in command.keys:
        for client_key in keys_of_command(client, key, now):
            await work.client_keys.add(client_key)
            await work.audit.append(
                act.event(tags.CLIENT_KEY_ADDED, client.client_id, kid=client_key.kid, thumbprint=client_key.thumbprint)
            )
    await work.audit.append(act.event(tags.CLIENT_CREATED, client.client_id, kind=kind))
    return client


async def change_client(storage: Storage, client_id: str, changes: ClientChanges, act: Act) -> Client:
    """Change what ``changes`` names; the next request of every process knows. Raises ConfigurationError."""
    async with storage.write() as work:
        client = await registered_client(work, client_id)
        if changes.scopes is not None:
            await _check_scopes(work, changes.scopes)
        named = changes.model_dump(exclude_unset=True)
        if "scopes" in named and named["scopes"] is not None:
            named["scopes"] = {identifier: tuple(scopes) for identifier, scopes in named["scopes"].items()}
        changed = replace(client, **named, updated_at=int(act.now))
        await work.clients.replace(changed)
        await work.audit.append(act.event(tags.CLIENT_UPDATED, client_id, changed=" ".join(sorted(named))))
        return changed


async def enable_client(storage: Storage, client_id: str, act: Act) -> Client:
    """Let a disabled client in again; the tokens it had before stay ended. Raises ConfigurationError."""
    async with storage.write() as work:
        enabled = replace(await registered_client(work, client_id), state="active", updated_at=int(act.now))
        await work.clients.replace(enabled)
        await work.audit.append(act.event(tags.CLIENT_ENABLED, client_id))
        return enabled


def new_client_id(kind: ClientKind) -> str:
    """A generated id, ``cl_...`` or ``api_...``, 96 random bits."""
    return ("api_" if kind == "api" else "cl_") + secrets.token_hex(12)


async def _check_scopes(work: UnitOfWork, scopes: dict[str, list[str]]) -> None:
    for identifier, names in scopes.items():
        api = await work.apis.get(identifier)
        if api is None:
            raise ConfigurationError(f"there is no API {identifier!r}: make it with `ostiary api create` first")
        if unknown := sorted(set(names) - set(api.scopes)):
            known = ", ".join(sorted(api.scopes)) or "none"
            raise ConfigurationError(f"API {identifier!r} has no scope {', '.join(unknown)}; it has: {known}")
