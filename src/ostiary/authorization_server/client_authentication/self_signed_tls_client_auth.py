"""``self_signed_tls_client_auth``: the very certificate that is registered for the client, RFC 8705 section 2.2.

Who signed it is not asked, and it is an anchor for nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.authorization_server.client_authentication import certificates
from ostiary.authorization_server.client_authentication.client_keys import CandidateKey, fault
from ostiary.model.client import Client
from ostiary.model.mutual_tls import SELF_SIGNED
from ostiary.protocol import certificate as peer
from ostiary.protocol.certificate import Certificate, unusable
from ostiary.protocol.checks import Note

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer


async def _check(
    server: AuthorizationServer, certificate: Certificate, client: Client | None, now: float, note: Note
) -> None:
    peer.public_key_of(certificate)
    peer.check_period(certificate, now)
    if client is None:
        return
    stored = await server.registry.client_keys(client.client_id)
    # "The client is successfully authenticated if the certificate that it presented during the handshake matches one of
    # the certificates configured or registered for that particular client." RFC 8705 2.2
    found = next((key for key in stored if key.record.thumbprint == certificate.thumbprint), None)
    if found is None or found.record.certificate != certificate.der:
        raise unusable(
            certificate.told(),
            "a certificate that is registered for this client",
            f"register it: ostiary client keys add {client.client_id} --certificate FILE",
        )
    if (seen := fault(CandidateKey(found.key, (found.record,)), now)) is not None:
        raise unusable(f"{seen}; {certificate.told()}", "an active certificate within its time", "register a new one")


METHOD = certificates.method(SELF_SIGNED, _check)
