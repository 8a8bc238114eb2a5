"""Clients: made, changed, disabled, enabled, with their audit event in the same unit of work."""

from __future__ import annotations

import secrets
from dataclasses import replace

from ostiary.admin.actors import Actor
from ostiary.admin.client_keys import keys_of_command
from ostiary.admin.commands import ClientChanges, NewClient
from ostiary.audit import tags
from ostiary.errors import ConfigurationError
from ostiary.model.client import Client, ClientKind
from ostiary.model.grant import Grant
from ostiary.storage.base import Storage, UnitOfWork


async def create_client(storage: Storage, command: NewClient, actor: Actor) -> Client:
    """Make a client, its standing grant and its first keys, all or nothing.

    Raises ConfigurationError: the id or a key is taken, a key is weak or private, an API or scope does not exist.
    """
    async with storage.write() as work:
        return await add_client(work, command, actor)


async def add_client(work: UnitOfWork, command: NewClient, actor: Actor, *, kind: ClientKind = "client") -> Client:
    """The same within a unit of work of the caller."""
    await _check_scopes(work, command.scopes)
    now = actor.now()
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
                actor.did(tags.CLIENT_KEY_ADDED, client.client_id, kid=client_key.kid, thumbprint=client_key.thumbprint)
            )
    await work.audit.append(actor.did(tags.CLIENT_CREATED, client.client_id, kind=kind))
    return client


async def change_client(storage: Storage, client_id: str, changes: ClientChanges, actor: Actor) -> Client:
    """Change what ``changes`` names; the next request of every process knows. Raises ConfigurationError."""
    async with storage.write() as work:
        client = await registered_client(work, client_id)
        if changes.scopes is not None:
            await _check_scopes(work, changes.scopes)
        named = changes.model_dump(exclude_unset=True, exclude={"state"})
        if "scopes" in named and named["scopes"] is not None:
            named["scopes"] = {identifier: tuple(scopes) for identifier, scopes in named["scopes"].items()}
        changed = replace(client, **named, updated_at=actor.now())
        await work.clients.replace(changed)
        await work.audit.append(actor.did(tags.CLIENT_UPDATED, client_id, changed=" ".join(sorted(named))))
        return changed


async def registered_client(work: UnitOfWork, client_id: str) -> Client:
    """The client, if it is there and not of the configuration file. Raises ConfigurationError."""
    client = await work.clients.get(client_id)
    if client is None:
        raise ConfigurationError(f"there is no client {client_id!r}: see `ostiary client list`")
    if client.source == "static":
        raise ConfigurationError(f"client {client_id!r} stands in ostiary.toml: change it there and restart the server")
    return client


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
