"""The grant ``client_credentials``: a client asks for a token in its own name, RFC 6749 section 4.4."""

from __future__ import annotations

from ostiary.authorization_server import resource, scope
from ostiary.authorization_server.exchange import Exchange
from ostiary.authorization_server.grants.base import Approval, GrantType
from ostiary.errors import OAuthError


async def _approve(exchange: Exchange) -> Approval:
    client = exchange.client.client
    registry = exchange.server.registry
    api = await resource.api_for(registry, client, exchange.form.get("resource"))
    scopes = scope.granted(client, api, exchange.form.get("scope"))
    grant = await registry.grant(client.grant_id)
    if grant is None or grant.ended_at is not None or (grant.expires_at or exchange.now + 1) <= exchange.now:
        raise OAuthError(
            "invalid_grant",
            "the grant of this client has ended",
            check="grant",
            seen=client.grant_id,
            expected="a standing grant",
            mend="register the client anew",
        )
    # RFC 9068 2.2: "in case of access tokens obtained through grants where no resource owner is involved, such as the
    # client credentials grant, the value of 'sub' SHOULD correspond to an identifier the authorization server uses to
    # indicate the client application"; client ids never begin like a user's subject (RFC 9700 4.15).
    return Approval(api, grant, client.client_id, scopes)


GRANT = GrantType("client_credentials", ("resource", "scope"), _approve, brief=True)
