"""The endpoints of ACME (RFC 8555, RFC 9773), by which servers get certificates of the private CA."""

from ostiary.authorization_server.endpoints.acme import (
    accounts,
    authorizations,
    certificates,
    directory,
    key_change,
    orders,
    renewal_info,
)
from ostiary.authorization_server.endpoints.base import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    directory.DIRECTORY,
    directory.NEW_NONCE,
    accounts.NEW_ACCOUNT,
    accounts.ACCOUNT,
    key_change.ENDPOINT,
    orders.NEW_ORDER,
    orders.ORDER,
    authorizations.AUTHORIZATION,
    authorizations.CHALLENGE,
    certificates.CERTIFICATE,
    certificates.REVOKE,
    renewal_info.ENDPOINT,
)
