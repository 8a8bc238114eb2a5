"""Clients: made, changed, disabled, enabled, with their audit event in the same unit of work."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from ostiary.admin.client_keys import register_keys
from ostiary.admin.commands import ClientChanges, NewClient
from ostiary.admin.existing import existing_client, registered_client
from ostiary.admin.limits import Limits
from ostiary.audit import tags
from ostiary.authorization_server.identifiers import new_grant_id
from ostiary.errors import ConfigurationError
from ostiary.model.client import Client, ClientKind
from ostiary.model.grant import Grant
from ostiary.model.names import API_CLIENT_PREFIX
from ostiary.revocation.act import Act
from ostiary.storage.base import Storage, UnitOfWork


async def create_client(storage: Storage, limits: Limits, command: NewClient, act: Act) -> Client:
    """Make a client, its standing grant and its first keys, all or nothing.

    Raises ConfigurationError: the id or a key is taken, a key is weak or private, an API or scope does not exist, the
    life of its tokens or the address of its keys is not allowed.
    """
    async with storage.write() as work:
        return await add_client(work, limits, command, act)


async def add_client(
    work: UnitOfWork, limits: Limits, command: NewClient, act: Act, *, kind: ClientKind = "client"
) -> Client:
    """The same within a unit of work of the caller."""
    await _check_scopes(work, command.scopes)
    limits.check_life(command.token_life)
    limits.check_jwks_uri(command.jwks_uri)
    now = int(act.now)
    client = _client(limits, command, kind, act.now)
    await work.clients.add(client)
    await work.grants.add(
        Grant(client.grant_id, client.client_id, client.client_id, "client_credentials", now, None, None)
    )
    await work.audit.append(act.event(tags.CLIENT_CREATED, client.client_id, kind=kind))
    for key in command.keys:
        await register_keys(work, client, key, act)
    return client


def _client(limits: Limits, command: NewClient, kind: ClientKind, now: float) -> Client:
    return Client(
        client_id=command.client_id or new_client_id(kind),
        name=command.name,
        kind=kind,
        state="active",
        owner=command.owner,
        source="registered",
        authentication_method="private_key_jwt",
        grant_types=("client_credentials",) if kind == "client" else (),
        scopes=_distinct(command.scopes),
        token_life=command.token_life,
        jwks_uri=command.jwks_uri,
        may_register_keys=command.may_register_keys,
        max_concurrency=limits.max_concurrency if command.max_concurrency is None else command.max_concurrency,
        grant_id=new_grant_id(now),
        created_at=int(now),
        updated_at=int(now),
    )


async def change_client(storage: Storage, limits: Limits, client_id: str, changes: ClientChanges, act: Act) -> Client:
    """Change what ``changes`` names; the next request of every process knows. Raises ConfigurationError."""
    named: dict[str, Any] = changes.model_dump(exclude_unset=True)
    limits.check_life(named.get("token_life"))
    limits.check_jwks_uri(named.get("jwks_uri"))
    async with storage.write() as work:
        client = await registered_client(work, client_id)
        if "scopes" in named:
            await _check_scopes(work, named["scopes"])
            named["scopes"] = _distinct(named["scopes"])
        if all(getattr(client, name) == value for name, value in named.items()):
            return client
        changed = replace(client, **named, updated_at=int(act.now))
        await work.clients.replace(changed)
        await work.audit.append(act.event(tags.CLIENT_UPDATED, client_id, changed=" ".join(sorted(named))))
        return changed


async def enable_client(storage: Storage, client_id: str, act: Act) -> Client:
    """Let a disabled client in again; the tokens it had before stay ended. Raises ConfigurationError."""
    async with storage.write() as work:
        client = await existing_client(work, client_id)
        if client.state == "active":
            return client
        enabled = replace(client, state="active", updated_at=int(act.now))
        await work.clients.replace(enabled)
        await work.audit.append(act.event(tags.CLIENT_ENABLED, client_id))
        return enabled


def new_client_id(kind: ClientKind) -> str:
    """A generated id, ``cl_...`` or ``api_...``, 96 random bits."""
    return (API_CLIENT_PREFIX if kind == "api" else "cl_") + secrets.token_hex(12)


def _distinct(scopes: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {identifier: tuple(dict.fromkeys(names)) for identifier, names in scopes.items()}


async def _check_scopes(work: UnitOfWork, scopes: dict[str, list[str]]) -> None:
    for identifier, names in scopes.items():
        api = await work.apis.get(identifier)
        if api is None:
            raise ConfigurationError(f"there is no API {identifier!r}: make it with `ostiary api create` first")
        if unknown := sorted(set(names) - set(api.scopes)):
            known = ", ".join(sorted(api.scopes)) or "none"
            raise ConfigurationError(f"API {identifier!r} has no scope {', '.join(unknown)}; it has: {known}")
