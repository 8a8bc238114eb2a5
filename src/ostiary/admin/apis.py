"""APIs: made with their scopes, the kind of token they want and, if given keys, an identity of their own."""

from __future__ import annotations

from urllib.parse import urlsplit

from ostiary.admin.clients import add_client
from ostiary.admin.commands import NewApi, NewClient
from ostiary.audit import tags
from ostiary.errors import ConfigurationError
from ostiary.model.api import Api
from ostiary.protocol.algorithms import ALGORITHMS
from ostiary.revocation.act import Act
from ostiary.storage.base import Storage, UnitOfWork


async def create_api(storage: Storage, command: NewApi, act: Act) -> Api:
    """Make an API. Raises ConfigurationError: the identifier is taken or no absolute URI, the algorithm unknown."""
    async with storage.write() as work:
        return await add_api(work, command, act)


async def add_api(work: UnitOfWork, command: NewApi, act: Act) -> Api:
    """The same within a unit of work of the caller."""
    check_identifier(command.identifier)
    if command.token_alg not in ALGORITHMS:
        raise ConfigurationError(f"token_alg {command.token_alg!r} is not one of {', '.join(sorted(ALGORITHMS))}")
    now = int(act.now)
    client_id = None
    if command.keys:
        identity = NewClient(name=f"{command.name} (API)", owner=command.owner, keys=command.keys)
        client_id = (await add_client(work, identity, act, kind="api")).client_id
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
        token_life=command.token_life,
        created_at=now,
        updated_at=now,
    )
    await work.apis.add(api)
    await work.audit.append(act.event(tags.API_CREATED, api.identifier, token_format=api.token_format))
    return api


def check_identifier(identifier: str) -> None:
    """RFC 8707 section 2: an absolute URI without a fragment. Raises ConfigurationError."""
    parts = urlsplit(identifier)
    if not parts.scheme or not (parts.netloc or parts.path) or "#" in identifier or not identifier.isprintable():
        raise ConfigurationError(
            f"{identifier!r} cannot name an API: use an absolute URI without a fragment, such as https://orders.example.com"
        )
