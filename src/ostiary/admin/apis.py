"""APIs: made with their scopes, the kind of token they want and, if given keys, an identity of their own."""

from __future__ import annotations

from typing import get_args

from ostiary.admin.clients import add_client
from ostiary.admin.commands import NewApi, NewClient
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
    )
    await work.apis.add(api)
    await work.audit.append(act.event(tags.API_CREATED, api.identifier, token_format=api.token_format))
    return api


def _check(limits: Limits, command: NewApi) -> None:
    if command.token_alg not in ALGORITHMS:
        raise ConfigurationError(f"token_alg {command.token_alg!r} is not one of {', '.join(ALGORITHMS)}")
    if command.client_id is not None and not command.keys:
        raise ConfigurationError("client_id names the API's own identity, which needs a key: give keys too")
    limits.check_life(command.token_life)


async def _identity(work: UnitOfWork, limits: Limits, command: NewApi, act: Act) -> str:
    identity = NewClient(client_id=command.client_id, name=command.name, owner=command.owner, keys=command.keys)
    return (await add_client(work, limits, identity, act, kind="api")).client_id
