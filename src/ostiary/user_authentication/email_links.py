"""Links that go by e-mail: a secret that works once and for a short time; only its hash is kept (ASVS 6.4.1, 6.5.1).

A link opens a page and spends nothing, because mail scanners open links too. Only the form of that page spends it. What
it rests on is looked at again then: the account is active, and its address and password are those of when it was made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlencode

import msgspec

from ostiary.audit import tags
from ostiary.errors import VerificationError
from ostiary.model.artifact import OneTimeArtifact
from ostiary.model.factor import Factor
from ostiary.model.user import User
from ostiary.protocol import token_format
from ostiary.revocation.act import Act
from ostiary.storage.base import UnitOfWork

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

LIFE: Final = 1200
"""Seconds: longer than ``throttle.WINDOW``, so that whoever is told to look into their mailbox finds a live link."""

PARAMETER: Final = "token"
LINK: Final = "email_link"
"""The name of the check that a dead link fails."""

Kind = Literal["password_reset", "email_verification"]


class _Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a link is for. email: the address it was sent to; password: a digest of the password's hash, "" for none."""

    user_id: str
    email: str
    password: str


@dataclass(frozen=True, slots=True)
class Link:
    """A link that works. email: the address it was sent to."""

    user: User
    email: str


async def new_token(server: AuthorizationServer) -> str:
    """The secret of a link."""
    return token_format.generate(token_format.EMAIL_LINK, await server.registry.installation())


def url(server: AuthorizationServer, path: str, token: str) -> str:
    """Where the link leads: a page of ours, whose Referrer-Policy tells no other site its URL."""
    return f"{server.issuer.rstrip('/')}{path}?{urlencode({PARAMETER: token})}"


async def keep(
    work: UnitOfWork, kind: Kind, token: str, user: User, email: str, factors: Sequence[Factor], act: Act
) -> None:
    """Make ``token`` work. email: where it is sent; factors: the user's."""
    claim = _Claim(user_id=user.user_id, email=email, password=_password(factors))
    now = int(act.now)
    payload = msgspec.json.encode(claim).decode()
    await work.artifacts.add(OneTimeArtifact(kind, token_format.digest(token), payload, now, now + LIFE))
    await work.audit.append(act.event(tags.EMAIL_LINK_MADE, user.user_id, kind=kind))


async def look(work: UnitOfWork, kind: Kind, token: str, now: float) -> Link:
    """What the link is for; nothing is spent. Raises VerificationError: it is unknown, too old, spent or overtaken."""
    artifact = await work.artifacts.get(kind, token_format.digest(token))
    if artifact is None or artifact.consumed_at is not None or artifact.expires_at <= now:
        raise _dead("a link that is unknown, spent or too old")
    return await _standing(work, artifact, work.users.get)


async def spend(work: UnitOfWork, kind: Kind, token: str, now: float) -> Link:
    """The same, and the link works no more. Atomic, one winner. Raises VerificationError."""
    artifact = await work.artifacts.consume(kind, token_format.digest(token), now=int(now))
    if artifact is None:
        raise _dead("a link that is unknown, spent or too old")
    # The user is held, so that what the link rests on is so until the commit.
    return await _standing(work, artifact, work.users.hold)


async def _standing(
    work: UnitOfWork, artifact: OneTimeArtifact, user_of: Callable[[str], Awaitable[User | None]]
) -> Link:
    claim = msgspec.json.decode(artifact.payload, type=_Claim)
    user = await user_of(claim.user_id)
    if user is None or user.state != "active":
        raise _dead("a link of an account that is not active")
    if artifact.kind == "password_reset" and (user.email != claim.email or not user.email_verified):
        raise _dead("a link to an address that is not the user's any more")
    if claim.password != _password(await work.factors.of_user(user.user_id)):
        raise _dead("a link from before the present password")
    return Link(user, claim.email)


def _password(factors: Sequence[Factor]) -> str:
    return next((hashlib.sha256(one.secret).hexdigest() for one in factors if one.kind == "password"), "")


def _dead(seen: str) -> VerificationError:
    return VerificationError(
        LINK,
        "this link does not work any more",
        seen=seen,
        expected=f"a link made within {LIFE} s, used the first time",
    )
