"""Which algorithms the installation needs signing keys of: those of the settings, of its APIs, of its applications."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from ostiary.model.api import Api
from ostiary.model.client import Client
from ostiary.storage.base import Storage, UnitOfWork

_PAGE = 200


class WantedAlgorithms:
    """Read anew only when somebody has changed the registry: APIs and applications, of all the clients no other."""

    def __init__(self, storage: Storage, configured: Iterable[str]) -> None:
        self._storage = storage
        self._configured = frozenset(configured)
        self._registered: frozenset[str] = frozenset()
        self._position = -1

    async def all(self, named: Iterable[str] = ()) -> list[str]:
        """The names of the algorithms, ``named`` among them. Raises Unavailable."""
        position = (await self._storage.positions()).registry
        if position != self._position:
            async with self._storage.read() as work:
                self._registered = frozenset([alg async for alg in _registered(work)])
            self._position = position
        return sorted({*self._configured, *self._registered, *named})


def of_client(client: Client) -> tuple[str, ...]:
    """The algorithms of the ID tokens and userinfo answers of an application."""
    login = client.login
    return () if login is None else tuple({alg for alg in (login.id_token_alg, login.userinfo_alg) if alg})


def of_api(api: Api) -> tuple[str, ...]:
    """The algorithm of the tokens for an API."""
    return (api.token_alg,) if api.state == "active" and api.token_format == "self-contained" else ()


async def _registered(work: UnitOfWork) -> AsyncIterator[str]:
    after = ""
    while apis := await work.apis.list(after=after, limit=_PAGE):
        for api in apis:
            for alg in of_api(api):
                yield alg
        after = apis[-1].identifier
    after = ""
    while clients := await work.clients.applications(after=after, limit=_PAGE):
        for client in clients:
            for alg in of_client(client):
                yield alg
        after = clients[-1].client_id
