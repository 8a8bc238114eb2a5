"""The endpoints of the issuer: an endpoint is one file and one line here."""

from ostiary.authorization_server.endpoints import (
    account,
    admin_metadata,
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
    passkey_options,
    password_reset,
    revoke,
    second_factor,
    sign_in,
    sign_out,
    token,
    traces,
    upstream,
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
    password_reset.REQUEST,
    password_reset.LINK,
    upstream.START,
    upstream.CALLBACK,
    upstream.LINK,
    assets.ENDPOINT,
    second_factor.ENDPOINT,
    passkey_options.ENDPOINT,
    sign_out.ENDPOINT,
    *account.ENDPOINTS,
)
ENDPOINTS: tuple[Endpoint, ...] = (*_PUBLISHED, metadata.endpoint(_PUBLISHED), admin_metadata.ENDPOINT)

__all__ = ["ENDPOINTS", "Endpoint"]
