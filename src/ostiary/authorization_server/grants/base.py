"""What a grant type is, and what it hands to the token endpoint: RFC 6749 section 4."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from ostiary.authorization_server.exchange import Exchange
from ostiary.authorization_server.tokens import Issued
from ostiary.errors import OAuthError
from ostiary.model.api import Api
from ostiary.model.grant import Grant
from ostiary.storage.base import UnitOfWork

Members = dict[str, object]


def _none(issued: Issued) -> Members:
    return {}


async def _nothing(work: UnitOfWork) -> Members:
    return {}


class Approval(msgspec.Struct, frozen=True):
    """What a grant allows: a token for ``subject`` at ``api``, hanging on ``grant``.

    claims, session_id: what the token says of the user's sign-in. until: it ends then at the latest, as its session.
    members: further members of the answer that rest on the access token, made before the transaction. settle: what is
    checked and marked in the transaction, before the token is written; its members go into the answer, and what it
    wrote before it raises OAuthError stays written.
    """

    api: Api
    grant: Grant
    subject: str
    scopes: tuple[str, ...]
    claims: str = "{}"
    session_id: str = ""
    until: int | None = None
    members: Callable[[Issued], Members] = _none
    settle: Callable[[UnitOfWork], Awaitable[Members]] = _nothing


@dataclass(frozen=True, slots=True)
class Burnt:
    """A refusal that leaves a mark: a spent code, an ended family. settle: writes it, in the refusal's transaction."""

    error: OAuthError
    settle: Callable[[UnitOfWork], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class GrantType:
    """name: the value of ``grant_type``. parameters: what it reads of the form, and what a trace may show of it.

    handler: decides on an authenticated exchange; raises OAuthError.
    for_public_clients: whether a client that cannot prove itself may use it. brief: it changes no row that is there.
    """

    name: str
    parameters: tuple[str, ...]
    handler: Callable[[Exchange], Awaitable[Approval | Burnt]]
    for_public_clients: bool = False
    brief: bool = False
