"""Clients: made, changed, disabled, enabled, with their audit event in the same unit of work."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from ostiary.admin.applications import changed_application, grant_types, new_login
from ostiary.admin.client_keys import register_keys
from ostiary.admin.client_secrets import MadeClient, new_secret
from ostiary.admin.commands import ClientChanges, NewClient
from ostiary.admin.existing import existing_client, registered_client
from ostiary.admin.limits import Limits
from ostiary.admin.mutual_tls import changed_mutual_tls, new_mutual_tls
from ostiary.audit import tags
from ostiary.authorization_server.identifiers import new_grant_id
from ostiary.errors import ConfigurationError
from ostiary.model.client import SPIFFE_JWT, Client, ClientKind
from ostiary.model.grant import Grant
from ostiary.model.login_rules import SECRET_METHODS
from ostiary.model.names import API_CLIENT_PREFIX
from ostiary.protocol import token_format
from ostiary.revocation.act import Act
from ostiary.storage.base import Storage, UnitOfWork

_NOT_MEMBERS = {"login", "grant_types", "certificate_subject", "bound_tokens"}


async def create_client(storage: Storage, limits: Limits, command: NewClient, act: Act) -> MadeClient:
    """Make a client, its standing grant and its first keys or its secret, all or nothing.

    Raises ConfigurationError: the id or a key is taken, a key is weak or private, an API or scope does not exist, the
    life of its tokens or an address is not allowed, or what it asks for does not fit together.
    """
    async with storage.write() as work:
        secret = await new_secret(work) if command.authentication_method in SECRET_METHODS else None
        return MadeClient(await add_client(work, limits, command, act, secret=secret), secret)


async def add_client(
    work: UnitOfWork,
    limits: Limits,
    command: NewClient,
    act: Act,
    *,
    kind: ClientKind = "client",
    secret: str | None = None,
) -> Client:
    """The same within a unit of work of the caller. secret: for the methods that have one."""
    await _check_scopes(work, command.scopes)
    limits.check_life(command.token_life)
    limits.check_jwks_uri(command.jwks_uri)
    now = int(act.now)
    client = _client(limits, command, kind, act.now, secret)
    _check_workload(client)
    await work.clients.add(client)
    await work.grants.add(
        Grant(client.grant_id, client.client_id, client.client_id, "client_credentials", now, None, None)
    )
    method = client.authentication_method
    await work.audit.append(act.event(tags.CLIENT_CREATED, client.client_id, kind=kind, authentication_method=method))
    await _tell_exemption(work, None, client, act)
    for key in command.keys:
        await register_keys(work, client, key, act)
    return client


def _client(limits: Limits, command: NewClient, kind: ClientKind, now: float, secret: str | None) -> Client:
    return Client(
        client_id=command.client_id or new_client_id(kind),
        name=command.name,
        kind=kind,
        state="active",
        owner=command.owner,
        source="registered",
        authentication_method=command.authentication_method,
        grant_types=grant_types(command, kind),
        scopes=_distinct(command.scopes),
        token_life=command.token_life,
        jwks_uri=command.jwks_uri,
        may_register_keys=command.may_register_keys,
        max_concurrency=limits.max_concurrency if command.max_concurrency is None else command.max_concurrency,
        grant_id=new_grant_id(now),
        created_at=int(now),
        updated_at=int(now),
        login=new_login(limits, command.login, command.authentication_method),
        secret_digest=None if secret is None else token_format.digest(secret),
        mutual_tls=new_mutual_tls(command),
        spiffe_id=command.spiffe_id,
    )


async def change_client(storage: Storage, limits: Limits, client_id: str, changes: ClientChanges, act: Act) -> Client:
    """Change what ``changes`` names; the next request of every process knows. Raises ConfigurationError."""
    limits.check_life(changes.token_life)
    limits.check_jwks_uri(changes.jwks_uri)
    async with storage.write() as work:
        client = await registered_client(work, client_id)
        if changes.scopes is not None:
            await _check_scopes(work, changes.scopes)
        changed = _changed(limits, client, changes)
        named = [name for name in Client.__dataclass_fields__ if getattr(changed, name) != getattr(client, name)]
        if not named:
            return client
        _check_workload(changed)
        changed = replace(changed, updated_at=int(act.now))
        await work.clients.replace(changed)
        await work.audit.append(act.event(tags.CLIENT_UPDATED, client_id, changed=" ".join(sorted(named))))
        await _tell_exemption(work, client, changed, act)
        return changed


def _changed(limits: Limits, client: Client, changes: ClientChanges) -> Client:
    named: dict[str, Any] = changes.model_dump(exclude_unset=True, exclude=_NOT_MEMBERS)
    if changes.scopes is not None:
        named["scopes"] = _distinct(changes.scopes)
    changed = replace(client, **named)
    changed = replace(changed, mutual_tls=changed_mutual_tls(client, changed, changes))
    return changed_application(limits, client, changed, changes)


def _check_workload(client: Client) -> None:
    if client.authentication_method == SPIFFE_JWT and client.spiffe_id is None:
        raise ConfigurationError(f"spiffe_id: a client that is registered for {SPIFFE_JWT} is a workload: name its own")


async def _tell_exemption(work: UnitOfWork, before: Client | None, after: Client, act: Act) -> None:
    exempt = [one is not None and one.login is not None and not one.login.require_pkce for one in (before, after)]
    if exempt == [False, True]:
        await work.audit.append(act.event(tags.CLIENT_PKCE_EXEMPTED, after.client_id))


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
