"""What both methods by certificate share: RFC 8705 section 2."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from ostiary.authorization_server import peer_certificate
from ostiary.authorization_server.client_authentication.base import Attempt, Authenticated, Form, Method, refused
from ostiary.authorization_server.http import Request
from ostiary.errors import VerificationError
from ostiary.model.client import Client
from ostiary.protocol.certificate import Certificate
from ostiary.protocol.checks import CERTIFICATE, CLIENT, Note

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

Check = Callable[["AuthorizationServer", Certificate, Client | None, float, Note], Awaitable[None]]
"""Refuses a certificate that is not the client's, or makes the same effort if there is no such client."""


def method(name: str, check: Check) -> Method:
    """The method ``name``, whose certificates ``check`` judges."""
    return Method(name, _presented, partial(_attempt, check), by_certificate=True)


def _presented(request: Request, form: Form) -> bool:
    # "For all requests to the authorization server utilizing mutual-TLS client authentication, the client MUST include
    # the 'client_id' parameter" RFC 8705 2
    return request.peer_certificate is not None and "client_id" in form


def _attempt(check: Check, request: Request, form: Form) -> Attempt:
    return Attempt(form["client_id"], partial(_prove, check, request.peer_certificate))


async def _prove(
    check: Check, der: bytes | None, server: AuthorizationServer, client: Client | None, now: float, note: Note
) -> Authenticated:
    try:
        certificate = peer_certificate.presented(der)
        await check(server, certificate, client, now, note)
        await peer_certificate.check_not_revoked(server, certificate)
    except VerificationError as error:
        # A stranger is told the same of every client and every certificate; the trace holds the rest.
        raise refused(error.check, seen=error.seen, expected=error.expected, mend=error.mend) from None
    if client is None:
        raise refused(
            CLIENT,
            seen=f"no such client, or registered for another method; {certificate.told()}",
            expected="a client that is registered for a method by certificate",
            mend="ostiary client show CLIENT_ID tells its method; a certificate proves no client of another one",
        )
    note(CERTIFICATE, certificate.thumbprint, "the certificate of this client")
    if client.state != "active":
        raise refused(CLIENT, seen=client.state, expected="active", public="the client is disabled")
    server.key_use.note(certificate.thumbprint, int(now))
    return Authenticated(client, certificate.thumbprint)
