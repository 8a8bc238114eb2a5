"""APIs: made with their scopes, their kind of token and, if given keys, an identity of their own; changed, enabled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

from ostiary.admin.clients import add_client
from ostiary.admin.commands import ApiChanges, NewApi, NewClient
from ostiary.admin.existing import existing_api, registered_api
from ostiary.admin.limits import Limits
from ostiary.audit import tags
from ostiary.errors import ConfigurationError
from ostiary.model.api import Api
from ostiary.revocation.act import Act
from ostiary.settings.fields import SigningAlgorithm
from ostiary.storage.base import Storage, UnitOfWork

ALGORITHMS: tuple[str, ...] = get_args(SigningAlgorithm)


async def create_api(storage: Storage, limits: Limits, command: NewApi, act: Act) -> Api:
    """Make an API. Raises ConfigurationError: the identifier or a key is taken, the algorithm unknown."""
    async with storage.write() as work:
        return await add_api(work, limits, command, act)


async def add_api(work: UnitOfWork, limits: Limits, command: NewApi, act: Act) -> Api:
    """The same within a unit of work of the caller."""
    _check(limits, command)
    now = int(act.now)
    client_id = await _identity(work, limits, command, act) if command.keys else None
    api = Api(
        identifier=command.identifier,
        name=command.name,
        state="active",
        source="registered",
        owner=command.owner,
        client_id=client_id,
        scopes=dict(command.scopes),
        token_format=command.token_format,
        token_alg=command.token_alg,
        token_life=limits.default_life if command.token_life is None else command.token_life,
        created_at=now,
        updated_at=now,
        status_list=command.status_list,
    )
    await work.apis.add(api)
    await work.audit.append(act.event(tags.API_CREATED, api.identifier, token_format=api.token_format))
    return api


async def change_api(storage: Storage, limits: Limits, identifier: str, changes: ApiChanges, act: Act) -> Api:
    """Change what ``changes`` names, for the tokens that are issued from the next request on.

    Clients keep of their scopes those that the API still has. Raises ConfigurationError.
    """
    named: dict[str, Any] = changes.model_dump(exclude_unset=True)
    _check_algorithm(named.get("token_alg", ALGORITHMS[0]))
    limits.check_life(named.get("token_life"))
    async with storage.write() as work:
        api = await registered_api(work, identifier)
        if all(getattr(api, name) == value for name, value in named.items()):
            return api
        changed = replace(api, **named, updated_at=int(act.now))
        await work.apis.replace(changed)
        await work.audit.append(act.event(tags.API_UPDATED, identifier, changed=" ".join(sorted(named))))
        return changed


async def enable_api(storage: Storage, identifier: str, act: Act) -> Api:
    """Let a disabled API have tokens again; what it had before and has not ended is good again. ConfigurationError."""
    async with storage.write() as work:
        api = await existing_api(work, identifier)
        if api.state == "active":
            return api
        enabled = replace(api, state="active", updated_at=int(act.now))
        await work.apis.replace(enabled)
        await work.audit.append(act.event(tags.API_ENABLED, identifier))
        return enabled


def _check_algorithm(alg: str) -> None:
    if alg not in ALGORITHMS:
        raise ConfigurationError(f"token_alg {alg!r} is not one of {', '.join(ALGORITHMS)}")


def _check(limits: Limits, command: NewApi) -> None:
    _check_algorithm(command.token_alg)
    if command.client_id is not None and not command.keys:
        raise ConfigurationError("client_id names the API's own identity, which needs a key: give keys too")
    limits.check_life(command.token_life)


async def _identity(work: UnitOfWork, limits: Limits, command: NewApi, act: Act) -> str:
    identity = NewClient(client_id=command.client_id, name=command.name, owner=command.owner, keys=command.keys)
    return (await add_client(work, limits, identity, act, kind="api")).client_id
