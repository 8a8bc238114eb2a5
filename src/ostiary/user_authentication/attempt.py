"""One attempt of a person to prove who they are, and what a method makes of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.authorization_server.browser.cookies import BrowserSecrets
from ostiary.authorization_server.browser.interaction import Interaction
from ostiary.authorization_server.http import Request
from ostiary.errors import VerificationError
from ostiary.model.factor import Factor, FactorKind
from ostiary.model.user import User
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication.throttle import Throttle

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer


class Alarm(VerificationError):
    """A refusal that its user and the operator should see. tag: of the audit event that tells it besides."""

    def __init__(self, tag: str, factor_id: str, check: str, public: str, *, seen: str, expected: str) -> None:
        super().__init__(check, public, seen=seen, expected=expected)
        self.tag = tag
        self.factor_id = factor_id


Confirm = Callable[[UnitOfWork], Awaitable[None]]
"""Checks and marks in the transaction of the sign-in what may happen once. Raises VerificationError."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an attempt is made: the browser, and what it is in the middle of. now: seconds since the epoch."""

    server: AuthorizationServer
    request: Request
    secrets: BrowserSecrets
    interaction: Interaction
    address: str
    now: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a person has sent. user: whom they mean, None if there is nobody; factors: that user's."""

    place: Place
    form: Mapping[str, str]
    user: User | None
    factors: tuple[Factor, ...]
    throttle: Throttle | None = None

    def of_kind(self, kind: FactorKind) -> list[Factor]:
        """The user's factors of one kind."""
        return [factor for factor in self.factors if factor.kind == kind]

    def refuse_if_full(self) -> None:
        """Raises TooManyTries if it is known already that this one would not be examined; costs nothing."""
        if self.throttle is not None and self.throttle.full is not None:
            raise self.throttle.full

    async def count(self) -> None:
        """To be called before a guess is examined. Raises TooManyTries."""
        self.refuse_if_full()
        if self.throttle is not None:
            async with self.place.server.storage.write() as work:
                await self.throttle.count(work, self.place.now)


@dataclass(frozen=True, slots=True)
class Proved:
    """A method has shown that it is this user. amr: RFC 8176 section 2, such as ``("pwd",)``."""

    user_id: str
    amr: tuple[str, ...]
    confirm: Confirm


@dataclass(frozen=True, slots=True)
class Method:
    """A way to prove oneself. kind: of its factors. field: of the forms that are for it.

    first: whether it may be the first proof of a sign-in; second: whether it may follow another one. counted: whether
    tries are limited; not where nobody can guess.
    prove: examines an attempt outside any transaction; raises VerificationError, TooManyTries, Unavailable.
    whose: where the proof says itself whom it is of, so that no name is typed: finds that user, proves nothing.
    """

    kind: FactorKind
    field: str
    first: bool
    second: bool
    prove: Callable[[Attempt], Awaitable[Proved]]
    counted: bool = True
    whose: Callable[[UnitOfWork, Mapping[str, str]], Awaitable[User | None]] | None = None
