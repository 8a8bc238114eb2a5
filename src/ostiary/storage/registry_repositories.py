"""What storage keeps of registrations: the part of its contract that concerns clients, their keys, APIs and grants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ostiary.model.api import Api
from ostiary.model.client import Client
from ostiary.model.client_key import ClientKey, KeyState
from ostiary.model.grant import Grant
from ostiary.model.tenant import TENANT


class Clients(Protocol):
    """Every write raises the registry position."""

    async def get(self, client_id: str, *, tenant: str = TENANT) -> Client | None: ...
    async def by_spiffe_id(self, spiffe_id: str, *, tenant: str = TENANT) -> Client | None: ...
    async def static(self, *, after: str = "", limit: int = 100, tenant: str = TENANT) -> list[Client]: ...
    async def applications(self, *, after: str = "", limit: int = 100, tenant: str = TENANT) -> list[Client]:
        """Those with a ``login`` that are active; this and ``static`` read no other, however many there are."""
        ...

    async def list(self, *, after: str = "", limit: int = 100, tenant: str = TENANT) -> list[Client]: ...
    async def add(self, client: Client) -> None: ...  # ConfigurationError if the id or the SPIFFE ID is taken
    async def replace(self, client: Client) -> None: ...  # ConfigurationError if there is none


class ClientKeys(Protocol):
    """Every write but ``touch`` raises the registry position."""

    async def get(self, client_id: str, kid: str, *, tenant: str = TENANT) -> ClientKey | None: ...
    async def by_thumbprint(self, thumbprint: str, *, tenant: str = TENANT) -> ClientKey | None: ...
    async def of_client(self, client_id: str, *, tenant: str = TENANT) -> list[ClientKey]: ...
    async def descendants(self, thumbprint: str, *, tenant: str = TENANT) -> list[ClientKey]: ...
    async def in_certificates(self, *, tenant: str = TENANT) -> list[ClientKey]: ...  # active ones, of every client
    async def add(self, key: ClientKey) -> None: ...  # ConfigurationError if the key or (client, kid) exists
    async def replace(self, key: ClientKey) -> None: ...
    async def set_state(self, thumbprint: str, state: KeyState, *, tenant: str = TENANT) -> bool: ...
    async def touch(self, used: Mapping[str, int], *, tenant: str = TENANT) -> None: ...  # thumbprint -> last_used_at


class Apis(Protocol):
    """Every write raises the registry position."""

    async def get(self, identifier: str, *, tenant: str = TENANT) -> Api | None: ...
    async def by_client(self, client_id: str, *, tenant: str = TENANT) -> list[Api]: ...
    async def static(self, *, after: str = "", limit: int = 100, tenant: str = TENANT) -> list[Api]: ...
    async def list(self, *, after: str = "", limit: int = 100, tenant: str = TENANT) -> list[Api]: ...
    async def add(self, api: Api) -> None: ...
    async def replace(self, api: Api) -> None: ...


class Grants(Protocol):
    """A write of a client's standing grant raises the registry position; grants of users are read anew each time."""

    async def get(self, grant_id: str, *, tenant: str = TENANT) -> Grant | None: ...
    async def of_user(
        self, user_id: str, *, after: str = "", limit: int = 100, tenant: str = TENANT
    ) -> list[Grant]: ...
    async def standing_of_user(
        self, user_id: str, client_id: str | None = None, *, tenant: str = TENANT
    ) -> list[Grant]: ...  # at one client or at all, not ended; some may have expired
    async def of_session(self, session_id: str, *, tenant: str = TENANT) -> list[Grant]: ...  # ended ones too
    async def clients_of_user(self, user_id: str, *, tenant: str = TENANT) -> set[str]: ...  # of ended ones too
    async def standing_of_session(self, session_id: str, *, tenant: str = TENANT) -> list[Grant]: ...
    async def add(self, grant: Grant) -> None: ...
    async def prolong(self, grant_id: str, until: int, *, tenant: str = TENANT) -> None: ...  # of a user, not ended
    async def end(self, grant_id: str, at: int, *, tenant: str = TENANT) -> bool: ...  # False if already ended
    async def end_of_users(self, client_id: str, at: int, *, tenant: str = TENANT) -> int:
        """End all that users allowed this client, not its own standing grant; how many stood until now."""
        ...

    async def end_of_all_users(self, at: int, *, tenant: str = TENANT) -> int: ...  # how many stood
