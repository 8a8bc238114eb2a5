"""``tls_client_auth``: a certificate of a trusted CA that names the client by its registered value, RFC 8705 2.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.authorization_server.certificate_chain import check_for_clients, check_issued
from ostiary.authorization_server.client_authentication import certificates
from ostiary.model.client import Client
from ostiary.model.mutual_tls import TLS_CLIENT_AUTH
from ostiary.protocol import certificate_subject
from ostiary.protocol.certificate import Certificate, unusable
from ostiary.protocol.checks import Note, shown

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer


async def _check(
    server: AuthorizationServer, certificate: Certificate, client: Client | None, now: float, note: Note
) -> None:
    if await server.client_trust.issued_here(certificate, now):
        check_for_clients(certificate, now)
    else:
        check_issued(certificate, await server.client_trust.authorities(), now)
    note("certificate_chain", certificate.thumbprint, "issued to a client by a trusted CA")
    if client is None:
        return
    kind, registered = client.mutual_tls.subject_kind, client.mutual_tls.subject_value
    # "a single subject distinguished name (DN) or a single subject alternative name (SAN) to authenticate the client"
    # RFC 8705 2.1
    found = [] if kind is None else certificate_subject.values(certificate, kind)
    if not registered or registered not in found:
        raise unusable(
            shown(f"{kind} {', '.join(found) or '(none)'}; {certificate.told()}"),
            shown(f"{kind} {registered}"),
            "use the certificate that names this client, or register what it says: ostiary client change",
        )


METHOD = certificates.method(TLS_CLIENT_AUTH, _check)
