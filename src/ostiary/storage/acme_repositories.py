"""What storage keeps for ACME: credentials, accounts, orders with their authorizations and challenges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ostiary.model.acme import AcmeAccount, AcmeAuthorization, AcmeChallenge, AcmeCredential, AcmeOrder
from ostiary.model.tenant import TENANT


class AcmeCredentials(Protocol):
    async def add(self, credential: AcmeCredential) -> None: ...
    async def get(self, key_id: str, *, tenant: str = TENANT) -> AcmeCredential | None: ...
    async def list(self, *, tenant: str = TENANT) -> list[AcmeCredential]: ...  # the one made first first
    async def revoke(self, key_id: str, *, at: int, tenant: str = TENANT) -> bool:
        """Whether it was active until now. Atomic, one winner."""
        ...


class AcmeAccounts(Protocol):
    async def add(self, account: AcmeAccount) -> bool: ...  # False if the key has an account already
    async def get(self, account_id: str, *, tenant: str = TENANT) -> AcmeAccount | None: ...
    async def by_thumbprint(self, thumbprint: str, *, tenant: str = TENANT) -> AcmeAccount | None: ...
    async def replace(self, account: AcmeAccount) -> bool: ...  # False if it is not valid (any more)
    async def count(self, credential: str, *, tenant: str = TENANT) -> int: ...  # those of a credential


class AcmeOrders(Protocol):
    """Each change names the state that it starts from: it is atomic and has one winner."""

    async def add(
        self, order: AcmeOrder, authorizations: Sequence[AcmeAuthorization], challenges: Sequence[AcmeChallenge]
    ) -> None: ...
    async def get(self, order_id: str, *, tenant: str = TENANT) -> AcmeOrder | None: ...
    async def of_account(self, account_id: str, *, limit: int = 100, tenant: str = TENANT) -> list[AcmeOrder]:
        """The last ones first."""
        ...

    async def open(self, account_id: str, *, now: int, tenant: str = TENANT) -> int: ...  # how many can be completed
    async def replacing(self, certificate_id: str, *, tenant: str = TENANT) -> list[AcmeOrder]: ...
    async def move(self, order: AcmeOrder, *, was: str) -> bool: ...

    async def authorization(self, authorization_id: str, *, tenant: str = TENANT) -> AcmeAuthorization | None: ...
    async def authorizations(self, order_id: str, *, tenant: str = TENANT) -> list[AcmeAuthorization]:
        """In the order of their ids."""
        ...

    async def proved(self, account_id: str, *, now: int, tenant: str = TENANT) -> set[str]:
        """The identifiers for which the account holds a valid authorization."""
        ...

    async def move_authorization(self, authorization: AcmeAuthorization, *, was: str) -> bool: ...

    async def challenge(self, challenge_id: str, *, tenant: str = TENANT) -> AcmeChallenge | None: ...
    async def challenges(self, authorization_id: str, *, tenant: str = TENANT) -> list[AcmeChallenge]: ...
    async def due(self, now: int, *, limit: int = 50, tenant: str = TENANT) -> list[AcmeChallenge]:
        """Those that are processing and are to be tried now, of each account in its turn."""
        ...

    async def move_challenge(self, challenge: AcmeChallenge, *, was: str, attempts: int) -> bool: ...
