"""Access tokens that are bound to the client's certificate, by one rule for both formats: RFC 8705 section 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.authorization_server import peer_certificate
from ostiary.errors import OAuthError, VerificationError
from ostiary.model.client import Client
from ostiary.model.token import AccessToken
from ostiary.protocol.certificate_binding import thumbprint
from ostiary.protocol.checks import CERTIFICATE, SENDER_CONSTRAINT, Note

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer


async def binding_for(
    server: AuthorizationServer, client: Client, certificate: bytes | None, now: float, note: Note
) -> str:
    """What the tokens of this request are bound to (``x5t#S256``), "" for a client without bound tokens.

    certificate: DER, of the connection; now: seconds since the epoch. The client proved itself in whichever way: what
    binds is the possession of a key. Raises OAuthError("invalid_request") and Unavailable.
    """
    if not client.mutual_tls.bound_tokens:
        return ""
    try:
        return (await peer_certificate.possessed(server, certificate, now, note)).thumbprint
    except VerificationError as error:
        raise OAuthError(
            "invalid_request",
            "the tokens of this client are bound to its certificate: ask for them over mutual TLS",
            check=CERTIFICATE,
            seen=error.seen,
            expected=error.expected,
            mend=error.mend,
        ) from None


def check_bound(token: AccessToken, certificate: bytes | None) -> None:
    """Refuse a bound token without its certificate (DER, of the connection). Raises OAuthError("invalid_token", 401).

    "If they do not match, the resource access attempt MUST be rejected with an error per [RFC6750] using an HTTP 401
    status code and the 'invalid_token' error code." RFC 8705 section 3
    """
    bound = token.certificate_thumbprint
    if bound and (certificate is None or thumbprint(certificate) != bound):
        raise OAuthError(
            "invalid_token",
            "the token is bound to a certificate",
            status=401,
            check=SENDER_CONSTRAINT,
            seen=peer_certificate.told(certificate) or "no client certificate",
            expected=f"the certificate {bound}",
            mend="call over mutual TLS, with the certificate by which the token was obtained",
        )
