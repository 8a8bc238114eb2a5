"""Clients and APIs that an operator names: found, or an error that says where to look."""

from __future__ import annotations

from ostiary.errors import ConfigurationError
from ostiary.model.api import Api
from ostiary.model.client import Client
from ostiary.storage.base import UnitOfWork


class NotThere(ConfigurationError):
    """What was named does not exist; over HTTP that is 404."""


async def existing_client(work: UnitOfWork, client_id: str) -> Client:
    """The client. Raises ConfigurationError if there is none."""
    client = await work.clients.get(client_id)
    if client is None:
        raise NotThere(f"there is no client {client_id!r}: see `ostiary client list`")
    return client


async def registered_client(work: UnitOfWork, client_id: str) -> Client:
    """The client, if it is there and not of the configuration file. Raises ConfigurationError."""
    client = await existing_client(work, client_id)
    if client.source == "static":
        raise ConfigurationError(f"client {client_id!r} stands in ostiary.toml: change it there and restart the server")
    return client


async def existing_api(work: UnitOfWork, identifier: str) -> Api:
    """The API. Raises ConfigurationError if there is none."""
    api = await work.apis.get(identifier)
    if api is None:
        raise NotThere(f"there is no API {identifier!r}: see `ostiary api list`")
    return api


async def registered_api(work: UnitOfWork, identifier: str) -> Api:
    """The API, if it is there and not of the configuration file. Raises ConfigurationError."""
    api = await existing_api(work, identifier)
    if api.source == "static":
        raise ConfigurationError(f"API {identifier!r} stands in ostiary.toml: change it there and restart the server")
    return api
