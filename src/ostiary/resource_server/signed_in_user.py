"""The user on whose behalf a client calls, and what an operation may demand of their sign-in: RFC 9470."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import acr
from ostiary.protocol.checks import shown

SIGN_IN = "sign_in"
"""The name of the check of a demand."""


class SignedInUser(msgspec.Struct, frozen=True, kw_only=True):
    """Who allowed the call, and how and when they signed in (RFC 9068 section 2.2.1).

    subject: ``sub``; with a pairwise one the same person is another at another client.
    auth_time: seconds since the epoch of their last full sign-in, None if the issuer does not say. acr: its level.
    amr: its methods (RFC 8176). session_id: ``sid``, what ends with the session.
    """

    subject: str
    auth_time: float | None = None
    acr: str | None = None
    amr: tuple[str, ...] = ()
    session_id: str | None = None


def user_of(subject: str, client_id: str, claims: Mapping[str, Any]) -> SignedInUser | None:
    """The user in a token's claims, None where the client acts for itself."""
    # RFC 9068 2.2: without a resource owner, sub is the client.
    if subject == client_id:
        return None
    return SignedInUser(
        subject=subject,
        auth_time=claims.get("auth_time"),
        acr=claims.get("acr"),
        amr=tuple(claims.get("amr", ())),
        session_id=claims.get("sid"),
    )


@dataclass(frozen=True, slots=True)
class SignInDemand:
    """What an operation demands of its user. max_age: seconds since they proved themselves, None: any.

    acr_values: one of these levels; a stronger one that is known to be so will do. Raises ConfigurationError.
    """

    max_age: int | None = None
    acr_values: Sequence[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.acr_values, str):
            raise ConfigurationError(f"acr_values is a list: write acr_values=[{self.acr_values!r}].")
        if self.max_age is not None and self.max_age < 0:
            raise ConfigurationError("max_age is a number of seconds from 0 on.")
        object.__setattr__(self, "acr_values", tuple(self.acr_values))

    def check(self, user: SignedInUser | None, now: float) -> None:
        """Raises InsufficientUserAuthentication. now: seconds since the epoch."""
        if user is None:
            raise InsufficientUserAuthentication(self, "a client without a user")
        if self.max_age is not None and (user.auth_time is None or now > user.auth_time + self.max_age):
            seen = "no auth_time" if user.auth_time is None else f"a sign-in {now - user.auth_time:.0f} s ago"
            raise InsufficientUserAuthentication(self, seen)
        if not acr.satisfies(user.acr or "", self.acr_values):
            raise InsufficientUserAuthentication(self, f"acr {shown(user.acr)}")


class InsufficientUserAuthentication(VerificationError):
    """The user is known, but must sign in again or more strongly: 401 ``insufficient_user_authentication``."""

    def __init__(self, demand: SignInDemand, seen: str) -> None:
        wanted = []
        if demand.max_age is not None:
            wanted.append(f"a sign-in at most {demand.max_age} s ago")
        if demand.acr_values:
            wanted.append(f"acr {' or '.join(demand.acr_values)}")
        super().__init__(
            SIGN_IN,
            "a fresh or stronger sign-in of the user is needed",
            seen=seen,
            expected=" and ".join(wanted),
            mend="send the user to the authorization endpoint with the acr_values and max_age of the challenge",
        )
        self.demand = demand
