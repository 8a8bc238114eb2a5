"""What the private CA tells others, to everybody: one file and one line here each. RFC 5280, RFC 6960."""

from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.certificate_authority import (
    certificates,
    ocsp,
    revocation_lists,
    trust,
)

ENDPOINTS: tuple[Endpoint, ...] = (
    revocation_lists.ENDPOINT,
    certificates.ENDPOINT,
    *ocsp.ENDPOINTS,
    *trust.ENDPOINTS,
)

__all__ = ["ENDPOINTS"]
