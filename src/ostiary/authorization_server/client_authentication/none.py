"""``none``: a public client names itself by ``client_id`` and proves nothing, RFC 6749 sections 2.1 and 3.2.1.

It can keep no secret: a single-page or a native application. PKCE binds its code, rotation its refresh tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.authorization_server.client_authentication.base import (
    NONE,
    Attempt,
    Authenticated,
    Form,
    Method,
    refused,
)
from ostiary.authorization_server.http import Request
from ostiary.model.client import Client
from ostiary.protocol.checks import CLIENT, Note

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer


def _presented(request: Request, form: Form) -> bool:
    return "client_id" in form


def _attempt(request: Request, form: Form) -> Attempt:
    # "A client MAY use the 'client_id' request parameter to identify itself when sending requests to the token
    # endpoint." RFC 6749 3.2.1
    return Attempt(form["client_id"], _prove)


async def _prove(server: AuthorizationServer, client: Client | None, now: float, note: Note) -> Authenticated:
    if client is None:
        raise refused(
            CLIENT,
            seen="no such client, or one that must authenticate",
            expected="a public client",
            mend="authenticate by the client's registered method",
        )
    if client.state != "active":
        raise refused(CLIENT, seen=client.state, expected="active", public="the client is disabled")
    return Authenticated(client)


METHOD = Method(NONE, _presented, _attempt, proves=False)
