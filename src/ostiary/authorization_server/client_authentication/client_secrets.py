"""Client secrets: 256 random bits, of which only the SHA-256 is kept; a legacy of RFC 6749 section 2.3.1.

A secret is sent to whoever poses as the server and lies in every log that keeps a request, which a key never does. So
no client has one unless it was made with it.
"""

from __future__ import annotations

import secrets
from hmac import compare_digest
from typing import TYPE_CHECKING

from ostiary.authorization_server.client_authentication.base import SECRET, Attempt, Authenticated, refused
from ostiary.model.client import Client
from ostiary.protocol import token_format
from ostiary.protocol.checks import CLIENT, Note

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

_NOBODYS_DIGEST = secrets.token_bytes(32)


def attempt(client_id: str, secret: str) -> Attempt:
    """The attempt to prove ``client_id`` by ``secret``."""
    presented = token_format.digest(secret)

    async def prove(server: AuthorizationServer, client: Client | None, now: float, note: Note) -> Authenticated:
        # A client that does not exist costs the same comparison, and is told in the same words.
        registered = (client.secret_digest if client is not None else None) or _NOBODYS_DIGEST
        equal = compare_digest(registered, presented)
        if client is None:
            raise refused(
                CLIENT, seen="no such client, or registered for another method", expected="a registered client"
            )
        if client.secret_digest is None or not equal:
            raise refused(
                SECRET,
                seen="another secret",
                expected="the client's secret",
                mend=f"give the client a new secret: ostiary client secret {client_id} --generate FILE",
            )
        if client.state != "active":
            raise refused(CLIENT, seen=client.state, expected="active", public="the client is disabled")
        return Authenticated(client, retrace=_retrace)

    return Attempt(client_id, prove)


def _retrace(note: Note) -> None:
    note(SECRET, "the client's secret", "the client's secret")
