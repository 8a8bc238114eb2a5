"""What the server knows of clients, keys, APIs and grants, cached for as long as the database has not changed it.

Several processes share one database. Each request asks where the database stands; a new registry position empties the
caches, so a committed change binds every process on its next request. A caller that found something here re-checks, in
the transaction in which it acts on it, that the position is still the one it read before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ostiary.errors import Unavailable
from ostiary.model.api import Api
from ostiary.model.client import Client
from ostiary.model.client_key import ClientKey
from ostiary.model.grant import Grant
from ostiary.protocol.jwk import VerificationKey, parse_public_key
from ostiary.storage.base import Positions, Storage, UnitOfWork

if TYPE_CHECKING:
    from ostiary.authorization_server.published_keys import PublishedKeys
    from ostiary.authorization_server.signing_keys import SigningKeys

T = TypeVar("T")
MAX_CACHED = 50_000
"""Entries of each cache; a full one is emptied."""


class StoredKey(NamedTuple):
    """A key in the store and the same key ready for use."""

    record: ClientKey
    key: VerificationKey


class Registry:
    """Cached reading. Every method raises Unavailable when the database cannot answer."""

    def __init__(
        self, storage: Storage, signing_keys: SigningKeys, published_keys: PublishedKeys, clock: Callable[[], float]
    ) -> None:
        self._storage = storage
        self._signing_keys = signing_keys
        self.published_keys = published_keys
        self._clock = clock
        self._position = -1
        self._installation = ""
        self._forget()

    def _forget(self) -> None:
        # New dictionaries, so that a reading which began before the change cannot fill the new ones with what it saw.
        self._clients: dict[str, Client] = {}
        self._workloads: dict[str, Client] = {}
        self._keys: dict[str, tuple[StoredKey, ...]] = {}
        self._revoked: dict[str, tuple[ClientKey | None]] = {}
        self._certificates: dict[str, tuple[bytes, ...]] = {}
        self._apis: dict[str, Api] = {}
        self._apis_of: dict[str, tuple[Api, ...]] = {}
        self._grants: dict[str, Grant] = {}

    async def current(self) -> Positions:
        """Where the database stands now; empties the caches if somebody changed clients, keys, APIs or grants."""
        positions = await self._storage.positions()
        if positions.registry != self._position:
            self._forget()
            await self._signing_keys.refresh(positions)
            self._position = positions.registry
        return positions

    async def client(self, client_id: str) -> Client | None:
        """The client, whatever its state."""
        return await self._cached(self._clients, client_id, lambda work: work.clients.get(client_id))

    async def client_of_workload(self, spiffe_id: str) -> Client | None:
        """The client that is the workload of this SPIFFE ID, whatever its state."""
        return await self._cached(self._workloads, spiffe_id, lambda work: work.clients.by_spiffe_id(spiffe_id))

    async def client_keys(self, client_id: str) -> Sequence[StoredKey]:
        """The static and registered keys of a client that exists, whatever their state, each parsed once.

        That it has none, as one that publishes its keys, is kept too.
        """

        async def load(work: UnitOfWork) -> tuple[StoredKey, ...]:
            records = await work.client_keys.of_client(client_id)
            return tuple(StoredKey(record, parse_public_key(record.jwk, kid=record.kid)) for record in records)

        return await self._cached(self._keys, client_id, load) or ()

    async def revoked_key(self, thumbprint: str) -> ClientKey | None:
        """The key of this thumbprint if it is in the store, whosever it is, and was revoked.

        For keys that registered clients publish, which are few: that there is no such key is kept too.
        """

        async def load(work: UnitOfWork) -> tuple[ClientKey | None]:
            found = await work.client_keys.by_thumbprint(thumbprint)
            return (found if found is not None and found.state == "revoked" else None,)

        known = await self._cached(self._revoked, thumbprint, load)
        return None if known is None else known[0]

    async def registered_certificates(self) -> tuple[bytes, ...]:
        """The certificates (DER) that are registered at clients and neither retired nor revoked; for the TLS door.

        That one is here lets it knock, no more: whom it proves, if anybody, is decided by its client's method.
        """

        async def load(work: UnitOfWork) -> tuple[bytes, ...]:
            return tuple(key.certificate for key in await work.client_keys.in_certificates() if key.certificate)

        return await self._cached(self._certificates, "", load) or ()

    async def api(self, identifier: str) -> Api | None:
        """The API of this identifier, whatever its state."""
        return await self._cached(self._apis, identifier, lambda work: work.apis.get(identifier))

    async def apis_of(self, client_id: str) -> Sequence[Api]:
        """The APIs whose own identity ``client_id`` is."""

        async def load(work: UnitOfWork) -> tuple[Api, ...] | None:
            return tuple(await work.apis.by_client(client_id)) or None

        return await self._cached(self._apis_of, client_id, load) or ()

    async def grant(self, grant_id: str) -> Grant | None:
        """The standing grant of a client, ended or not; those of users are not cached and not asked for here."""
        return await self._cached(self._grants, grant_id, lambda work: work.grants.get(grant_id))

    def known_client(self, client_id: str) -> Client | None:
        """The client if it is cached: as it stands, for whoever acts at the position that ``current`` gave."""
        return self._clients.get(client_id)

    def known_grant(self, grant_id: str) -> Grant | None:
        """The standing grant of a client if it is cached, for the same callers; a user's changes at no position."""
        grant = self._grants.get(grant_id)
        return None if grant is None or grant.user_id else grant

    async def installation(self) -> str:
        """The six characters that name this installation in its opaque tokens."""
        if not self._installation:
            async with self._storage.read() as work:
                self._installation = await work.setting("installation_id") or ""
            if not self._installation:
                raise Unavailable("storage", "the database has no installation_id: run its migrations")
        return self._installation

    async def _cached(
        self, cache: dict[str, T], name: str, load: Callable[[UnitOfWork], Awaitable[T | None]]
    ) -> T | None:
        found = cache.get(name)
        if found is None:
            async with self._storage.read() as work:
                found = await load(work)
            # What does not exist is not kept: anybody can ask for it, under ever new names.
            if found is not None:
                if len(cache) >= MAX_CACHED:
                    cache.clear()
                cache[name] = found
        return found
