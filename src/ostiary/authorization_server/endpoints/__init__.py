"""The endpoints of the issuer: an endpoint is one file and one line here."""

from ostiary.authorization_server.endpoints import (
    assets,
    client_keys,
    introspect,
    jwks,
    metadata,
    next_key,
    revoke,
    token,
    traces,
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
    assets.ENDPOINT,
)
ENDPOINTS: tuple[Endpoint, ...] = (*_PUBLISHED, metadata.endpoint(_PUBLISHED))

__all__ = ["ENDPOINTS", "Endpoint"]
