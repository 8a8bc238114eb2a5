"""What a grant type is, and what it hands to the token endpoint: RFC 6749 section 4."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ostiary.authorization_server.exchange import Exchange
from ostiary.model.api import Api
from ostiary.model.grant import Grant


@dataclass(frozen=True, slots=True)
class Approval:
    """What a grant allows: a token for ``subject`` at ``api``, hanging on ``grant``."""

    api: Api
    grant: Grant
    subject: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GrantType:
    """name: the value of ``grant_type``. parameters: what it reads of the form, and what a trace may show of it.

    handler: decides on an authenticated exchange; raises OAuthError.
    """

    name: str
    parameters: tuple[str, ...]
    handler: Callable[[Exchange], Awaitable[Approval]]
