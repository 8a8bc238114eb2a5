"""Refresh tokens: the first of a family, and its successors (RFC 6749 section 6, RFC 9700 section 4.14).

Every use of a refresh token makes its successor, and a used one that comes back ends the family: it was stolen. But a
client whose answer was lost, or whose second tab asks at the same moment, is no thief. So for a few seconds, until the
successor is used, the same request gets the same successor again. It is kept sealed under a key made of the presented
token *and* the server's sealing key: neither the database, nor the database with the key-encryption key, opens it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from ostiary.errors import VerificationError
from ostiary.model.client_login import ClientLogin
from ostiary.model.grant import Grant
from ostiary.model.refresh_token import RefreshToken
from ostiary.protocol import token_format

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer
    from ostiary.authorization_server.exchange import Exchange

_PURPOSE = "refresh successor"


class Successor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is sealed: the next token, and the request that made it, for a retry is the same request."""

    token: str
    scope: str = ""
    resource: str = ""
    binding: str = ""


_SUCCESSOR = msgspec.json.Decoder(Successor)


@dataclass(frozen=True, slots=True)
class Fresh:
    """A refresh token that is ready to be written. text: the token itself; record: what is kept of it."""

    text: str = field(repr=False)
    record: RefreshToken


async def first(exchange: Exchange, grant: Grant) -> Fresh | None:
    """The first refresh token of ``grant``, if its client may refresh."""
    client = exchange.client.client
    if "refresh_token" not in client.grant_types:
        return None
    login = client.login or ClientLogin()
    end = grant.created_at + (login.refresh_token_life or exchange.server.settings.authorization.refresh_life)
    text = await _new(exchange.server)
    now = int(exchange.now)
    record = RefreshToken(
        digest=token_format.digest(text),
        grant_id=grant.grant_id,
        client_id=client.client_id,
        user_id=grant.user_id,
        generation=0,
        key_thumbprint="",
        created_at=now,
        idle_until=_idle_until(exchange, now, end),
        expires_at=end,
        certificate_thumbprint=_binding(exchange),
    )
    return Fresh(text, record)


async def next_of(exchange: Exchange, present: RefreshToken) -> Fresh:
    """The successor of ``present``, with the same absolute end (RFC 10017; ASVS 10.4.8)."""
    text, now = await _new(exchange.server), int(exchange.now)
    record = replace(
        present,
        digest=token_format.digest(text),
        generation=present.generation + 1,
        created_at=now,
        idle_until=_idle_until(exchange, now, present.expires_at),
        used_at=None,
        successor=None,
        successor_digest=None,
        retry_until=None,
        certificate_thumbprint=present.certificate_thumbprint or _binding(exchange),
    )
    return Fresh(text, record)


def seal(exchange: Exchange, presented: str, present: RefreshToken, fresh: Fresh) -> bytes:
    """The successor, for whoever brings ``presented`` again with the same request."""
    form = exchange.form
    told = Successor(
        token=fresh.text,
        scope=form.get("scope", ""),
        resource=form.get("resource", ""),
        binding=exchange.certificate_thumbprint,
    )
    return exchange.server.seals.seal(
        _PURPOSE, msgspec.json.encode(told), context=present.digest, secret=presented.encode("ascii")
    )


def retried(exchange: Exchange, presented: str, present: RefreshToken) -> str | None:
    """The successor that was given already, if this is the same request within the window; else None: reuse."""
    if present.successor is None or present.retry_until is None or exchange.now >= present.retry_until:
        return None
    try:
        plain = exchange.server.seals.open(
            _PURPOSE, present.successor, context=present.digest, secret=presented.encode("ascii")
        )
    except VerificationError:
        return None
    told = _SUCCESSOR.decode(plain)
    asked = (exchange.form.get("scope", ""), exchange.form.get("resource", ""), exchange.certificate_thumbprint)
    return told.token if (told.scope, told.resource, told.binding) == asked else None


def _binding(exchange: Exchange) -> str:
    """What a refresh token is bound to, of public clients alone: RFC 8705 section 4.

    A confidential client proves itself anew each time, and so may renew its certificate meanwhile (section 7.1).
    """
    return exchange.certificate_thumbprint if exchange.client.is_public else ""


async def _new(server: AuthorizationServer) -> str:
    return token_format.generate(token_format.REFRESH_TOKEN, await server.registry.installation())


def _idle_until(exchange: Exchange, now: int, end: int) -> int:
    login = exchange.client.client.login or ClientLogin()
    idle = login.refresh_token_idle or exchange.server.settings.authorization.refresh_idle
    return min(now + idle, end)
