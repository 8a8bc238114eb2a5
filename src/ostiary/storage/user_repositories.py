"""What storage keeps of users: the part of its contract that concerns people, their factors and what they allowed."""

from __future__ import annotations

from typing import Protocol

from ostiary.model.consent import Consent
from ostiary.model.delivery import Delivery, DeliveryKind
from ostiary.model.factor import Factor, FactorKind
from ostiary.model.known_browser import KnownBrowser
from ostiary.model.refresh_token import RefreshToken
from ostiary.model.session import Session
from ostiary.model.tenant import TENANT
from ostiary.model.user import User


class Users(Protocol):
    async def get(self, user_id: str, *, tenant: str = TENANT) -> User | None: ...
    async def hold(self, user_id: str, *, tenant: str = TENANT) -> User | None:
        """The user, for this unit of work alone: another one that holds them waits until this one has ended.

        For whoever begins something of a user's (a session, a grant, a factor) and whoever ends all of it: so nothing
        is begun behind the back of the end. To be asked before the rows that hang on the user.
        """
        ...

    async def by_name(self, username_key: str, *, tenant: str = TENANT) -> User | None: ...
    async def by_email(self, email: str, *, tenant: str = TENANT) -> list[User]: ...  # verified or not, by id
    async def list(self, *, after: str = "", limit: int = 100, tenant: str = TENANT) -> list[User]: ...
    async def add(self, user: User) -> None: ...  # ConfigurationError if the name is taken
    async def replace(self, user: User) -> None: ...  # ConfigurationError if there is none, or the name is taken


class Factors(Protocol):
    async def get(self, factor_id: str, *, tenant: str = TENANT) -> Factor | None: ...
    async def of_user(self, user_id: str, *, tenant: str = TENANT) -> list[Factor]: ...  # the oldest first
    async def by_lookup(self, kind: FactorKind, lookup: str, *, tenant: str = TENANT) -> Factor | None: ...
    async def add(self, factor: Factor) -> None: ...  # ConfigurationError if kind and lookup exist
    async def remove(self, factor_id: str, *, tenant: str = TENANT) -> bool: ...  # False if it was gone; atomic
    async def advance(self, factor_id: str, *, to: int, at: int, tenant: str = TENANT) -> bool:
        """Raise the counter to ``to``; False if it stands there or higher. Atomic, one winner."""
        ...

    async def set_secret(self, factor_id: str, secret: bytes, *, tenant: str = TENANT) -> None: ...
    async def set_details(self, factor_id: str, details: dict[str, object], *, tenant: str = TENANT) -> None: ...
    async def rename(self, factor_id: str, name: str, *, tenant: str = TENANT) -> None: ...
    async def touch(self, factor_id: str, at: int, *, tenant: str = TENANT) -> None: ...


class Sessions(Protocol):
    async def get(self, session_id: str, *, tenant: str = TENANT) -> Session | None: ...
    async def of_browser(self, digest: bytes, *, tenant: str = TENANT) -> list[Session]:
        """The sessions of one browser that were not ended, the latest sign-in first; some may have expired."""
        ...

    async def of_user(self, user_id: str, *, tenant: str = TENANT) -> list[Session]: ...  # that were not ended
    async def add(self, session: Session) -> None: ...
    async def end(self, session_id: str, at: int, *, tenant: str = TENANT) -> bool: ...  # False if already ended
    async def end_all(self, at: int, *, tenant: str = TENANT) -> int: ...  # of every user; how many stood
    async def touch(self, session_id: str, *, at: int, idle_until: int, tenant: str = TENANT) -> None: ...
    async def renew(self, session: Session) -> bool:
        """Write how, when and until when it was proved anew, and its new secret; False if it was ended meanwhile."""
        ...

    async def move(self, digest: bytes, to: bytes, *, tenant: str = TENANT) -> None:
        """Give the sessions of a browser a new secret, by its digest."""
        ...

    async def remember_browser(self, browser: KnownBrowser) -> None: ...
    async def known_browser(self, user_id: str, digest: bytes, *, tenant: str = TENANT) -> KnownBrowser | None: ...


class Consents(Protocol):
    async def of_user(self, user_id: str, client_id: str | None = None, *, tenant: str = TENANT) -> list[Consent]: ...
    async def put(self, consent: Consent) -> None: ...
    async def remove(self, user_id: str, client_id: str, *, tenant: str = TENANT) -> int: ...


class RefreshTokens(Protocol):
    async def get(self, digest: bytes, *, tenant: str = TENANT) -> RefreshToken | None: ...
    async def add(self, token: RefreshToken) -> None: ...
    async def use(
        self,
        digest: bytes,
        *,
        at: int,
        successor: bytes | None,
        successor_digest: bytes | None,
        retry_until: int | None,
        tenant: str = TENANT,
    ) -> bool:
        """Mark it used and keep its sealed successor; False for all but the first. Atomic, one winner."""
        ...

    async def close_windows(self, grant_id: str, *, tenant: str = TENANT) -> int:
        """Erase the sealed successors of a family; how many."""
        ...

    async def close_windows_before(self, grant_id: str, successor_digest: bytes, *, tenant: str = TENANT) -> int:
        """Erase the sealed form of this successor, because it was used; how many."""
        ...

    async def has_old_windows(self, now: int) -> bool:
        """Whether ``close_old_windows`` has anything to do."""
        ...

    async def close_old_windows(self, now: int) -> int:
        """Erase the sealed successors whose window has ended; how many."""
        ...


class FailedAttempts(Protocol):
    async def note(self, name: str, *, now: int, window: int, tenant: str = TENANT) -> int:
        """Count one more; how many in this window (seconds), which began with the first. Atomic."""
        ...

    async def count(self, name: str, *, now: int, tenant: str = TENANT) -> tuple[int, int]:
        """How many, and when the window ends (seconds since the epoch); (0, 0) if there is none."""
        ...

    async def forget(self, name: str, *, tenant: str = TENANT) -> None: ...


class Deliveries(Protocol):
    async def add(self, delivery: Delivery) -> None: ...
    async def due(
        self, *, now: int, kind: DeliveryKind | None = None, limit: int = 20, tenant: str = TENANT
    ) -> list[Delivery]: ...  # oldest first

    async def take(self, delivery: Delivery, *, due_at: int) -> bool:
        """Whether this caller may try it now; it is due again at ``due_at`` unless removed before. Atomic."""
        ...

    async def remove(self, delivery_id: str, *, tenant: str = TENANT) -> None: ...
