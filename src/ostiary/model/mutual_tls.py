"""What a client has registered for mutual TLS: RFC 8705 sections 2.1.2 and 3.4."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from ostiary.protocol.certificate_subject import SubjectKind, normal

TLS_CLIENT_AUTH: Final = "tls_client_auth"
SELF_SIGNED: Final = "self_signed_tls_client_auth"
CERTIFICATE_METHODS: Final = frozenset({TLS_CLIENT_AUTH, SELF_SIGNED})


@dataclass(frozen=True, slots=True)
class MutualTls:
    """The registration; a client without mutual TLS has the default.

    subject_kind, subject_value: for ``tls_client_auth``, which part of the certificate names the client and what it
        says there: "A client using the 'tls_client_auth' authentication method MUST use exactly one of the below
        metadata parameters" (RFC 8705 2.1.2); None and "" for every other method.
    bound_tokens: whether its access tokens are bound to the certificate that it shows
        (``tls_client_certificate_bound_access_tokens``).
    """

    subject_kind: SubjectKind | None = None
    subject_value: str = ""
    bound_tokens: bool = False


def checked_mutual_tls(registered: MutualTls, authentication_method: str) -> MutualTls:
    """``registered``, its value in one spelling, if it fits together and fits the method.

    Raises ValueError with a sentence that begins with the member and names the mend.
    """
    if (registered.subject_kind is not None) != (authentication_method == TLS_CLIENT_AUTH):
        raise ValueError(
            "certificate_subject: goes together with tls_client_auth: give both or neither, and exactly one subject"
        )
    if registered.subject_kind is None:
        return registered
    try:
        return replace(registered, subject_value=normal(registered.subject_kind, registered.subject_value))
    except ValueError as error:
        raise ValueError(f"certificate_subject: {error}") from None
