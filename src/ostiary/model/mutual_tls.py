"""What a client has registered for mutual TLS: RFC 8705 sections 2.1.2 and 3.4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

SubjectKind = Literal["subject_dn", "san_dns", "san_uri", "san_ip", "san_email"]
SUBJECT_KINDS: Final[tuple[SubjectKind, ...]] = get_args(SubjectKind)


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
