"""The endpoints of the issuer: an endpoint is one file and one line here."""

from ostiary.authorization_server.endpoints import (
    account,
    assets,
    authorize,
    choose_account,
    client_keys,
    consent,
    continue_authorization,
    introspect,
    jwks,
    logout,
    metadata,
    next_key,
    revoke,
    sign_in,
    token,
    traces,
    userinfo,
)
from ostiary.authorization_server.endpoints.base import Endpoint

_PUBLISHED: tuple[Endpoint, ...] = (
    token.ENDPOINT,
    introspect.ENDPOINT,
    revoke.ENDPOINT,
    jwks.ENDPOINT,
    client_keys.ENDPOINT,
    next_key.ENDPOINT,
    traces.ENDPOINT,
    authorize.ENDPOINT,
    continue_authorization.ENDPOINT,
    choose_account.ENDPOINT,
    consent.ENDPOINT,
    userinfo.ENDPOINT,
    logout.ENDPOINT,
    sign_in.ENDPOINT,
    assets.ENDPOINT,
    *account.ENDPOINTS,
)
ENDPOINTS: tuple[Endpoint, ...] = (*_PUBLISHED, metadata.endpoint(_PUBLISHED))

__all__ = ["ENDPOINTS", "Endpoint"]
