"""Whether a token is used by whom it is bound to: RFC 8705 section 3, asked at each request."""

from __future__ import annotations

from ostiary.errors import VerificationError
from ostiary.protocol.certificate_binding import bound_thumbprint, check_bound
from ostiary.protocol.checks import SENDER_CONSTRAINT
from ostiary.resource_server.client_certificates import ClientCertificates
from ostiary.resource_server.request import ApiRequest


def check_bound_token(cnf: object, request: ApiRequest, certificates: ClientCertificates) -> None:
    """``request`` must come with the certificate that ``cnf`` names. Raises VerificationError("sender_constraint").

    "The protected resource MUST obtain, from its TLS implementation layer, the client certificate used for mutual TLS
    and MUST verify that the certificate matches the certificate associated with the access token." RFC 8705 section 3.
    """
    named = bound_thumbprint(cnf)
    try:
        certificate = certificates.of(request)
    except VerificationError as error:
        raise VerificationError(
            SENDER_CONSTRAINT,
            "this token is bound to a client certificate",
            seen=error.seen,
            expected=error.expected or f"the certificate with the thumbprint {named}",
            mend=error.mend or "call with the certificate that the token was asked for with",
        ) from error
    check_bound(named, certificate)


def unbound() -> VerificationError:
    """The refusal of a token that anybody could use, where the API takes none such."""
    return VerificationError(
        SENDER_CONSTRAINT,
        "this API takes tokens that are bound to a certificate",
        seen="a token without cnf",
        expected="a token bound to the client's certificate",
        mend="ask for the token over mutual TLS, with a client that gets certificate-bound tokens",
    )
