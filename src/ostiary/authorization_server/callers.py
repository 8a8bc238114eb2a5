"""Who may ask on behalf of an API: the API's own identity, and for nothing but that API (RFC 7662 sections 2.1, 4)."""

from __future__ import annotations

from collections.abc import Sequence

from ostiary.authorization_server.exchange import Exchange
from ostiary.errors import OAuthError
from ostiary.model.api import Api


async def apis_of_caller(exchange: Exchange, *, disabled_too: bool = False) -> Sequence[Api]:
    """The APIs whose identity the caller is: the active ones, or all of them.

    Raises OAuthError("unauthorized_client", 403) for a client that is no API's identity: it has no business here, and a
    client that asks about its own tokens learns from the token response all that it may know.
    """
    client = exchange.client.client
    found = await exchange.server.registry.apis_of(client.client_id)
    apis = [api for api in found if disabled_too or api.state == "active"]
    if client.kind != "api" or not apis:
        raise OAuthError(
            "unauthorized_client",
            "this endpoint is for APIs",
            status=403,
            check="caller",
            seen=f"a client of kind {client.kind} with {len(apis)} active and {len(found) - len(apis)} disabled APIs",
            expected="the identity of an active API",
            mend=(
                "authenticate with the API's own key: ostiary api create --generate"
                if not found
                else f"let the API in again: ostiary api enable {found[0].identifier}"
            ),
        )
    return apis
