"""A client certificate that the TLS door refused: an audit event, as many as strangers may cause, the rest counted."""

from __future__ import annotations

from ostiary.audit import tags
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.errors import OAuthError
from ostiary.model.event import AuditEvent
from ostiary.trace import new_trace_id

CHECK = "client_certificate"
WHERE = "mtls"


async def record(server: AuthorizationServer, address: str, reason: str) -> None:
    """Write that a certificate was refused. address: of the peer. reason: in OpenSSL's words. Raises Unavailable."""
    now = server.clock()
    if not server.unauthenticated.gets_rows(address):
        error = OAuthError("invalid_client", "the client certificate is not good", check=CHECK, seen=reason)
        server.unauthenticated.count(error, address, WHERE, new_trace_id(), now=now)
        return
    event = AuditEvent(
        tags.CLIENT_CERTIFICATE_REFUSED,
        "refused",
        int(now * 1000),
        reason=CHECK,
        details={"problem": reason},
        personal={"address": address} if address else {},
    )
    async with server.storage.write() as work:
        await work.audit.append(event)
