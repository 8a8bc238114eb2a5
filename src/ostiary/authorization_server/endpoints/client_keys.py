"""Where an API finds the keys of a client by (client, kid), to verify what the client signs for it without a token.

The client asked about is the parameter ``client``; ``client_id`` is, as everywhere, the one that asks (RFC 7521 4.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ostiary.audit import tags
from ostiary.authorization_server.callers import apis_of_caller
from ostiary.authorization_server.client_authentication.client_keys import CandidateKey, usable_keys
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.exchange import Answer, Exchange, authenticated
from ostiary.authorization_server.http import Response, json_response
from ostiary.authorization_server.scope import allowed
from ostiary.errors import OAuthError
from ostiary.model.api import Api
from ostiary.model.event import AuditEvent
from ostiary.storage.base import UnitOfWork
from ostiary.trace import redact

MAX_AGE = 60
"""Seconds that an API may keep the answer: so long can a key be honoured at APIs after it was retired or revoked."""

_HEADERS = (
    (b"content-type", b"application/json"),
    (b"cache-control", f"private, max-age={MAX_AGE}".encode()),
    (b"x-content-type-options", b"nosniff"),
)


async def _decide(exchange: Exchange) -> Answer:
    apis = await apis_of_caller(exchange)
    client_id = exchange.form.get("client")
    if client_id is None:
        raise OAuthError("invalid_request", "client is missing", check="client", expected="the parameter client")
    keys = await _keys(exchange, apis, client_id)
    answer: dict[str, object] = {"client_id": client_id, "keys": [_jwk(key) for key in keys]}
    client = await exchange.server.registry.client(client_id) if keys else None
    if client is not None:
        # What the client may do at the APIs that ask: a request that it signs itself carries no scopes.
        # As in a token, they are narrowed to those that the API still has.
        answer["scopes"] = {api.identifier: sorted(allowed(client, api)) for api in apis}
    return partial(_answer, exchange, answer)


async def _keys(exchange: Exchange, apis: Sequence[Api], client_id: str) -> list[CandidateKey]:
    """The usable keys of a client that may use one of the APIs; of every other one, existing or not, none."""
    client = await exchange.server.registry.client(client_id)
    if client is None or client.state != "active" or not any(api.identifier in client.scopes for api in apis):
        return []
    return await usable_keys(exchange.server, client, exchange.form.get("kid"), exchange.now)


def _jwk(candidate: CandidateKey) -> dict[str, object]:
    ends = [record.expires_at for record in candidate.records if record.expires_at is not None]
    return {**candidate.key.public_jwk(), "exp": min(ends)} if ends else {**candidate.key.public_jwk()}


async def _answer(exchange: Exchange, answer: dict[str, object], work: UnitOfWork) -> Response:
    await work.audit.append(_event(exchange, str(answer["client_id"]), bool(answer["keys"])))
    exchange.server.on_event("client_keys_found", {"found": "yes" if answer["keys"] else "no"})
    return json_response(answer, headers=_HEADERS)


def _event(exchange: Exchange, client_id: str, found: bool) -> AuditEvent:
    caller = exchange.client
    return AuditEvent(
        tags.CLIENT_KEYS_TOLD,
        "allowed" if found else "refused",
        int(exchange.now * 1000),
        actor=caller.client.client_id,
        target=redact(client_id),
        key_thumbprint=caller.key_thumbprint,
        reason="" if found else "no usable key of a client of this API",
    )


ENDPOINT = Endpoint(
    "client_keys",
    "/client-keys",
    ("POST",),
    authenticated("client_keys", tags.CLIENT_KEYS_REFUSED, _decide),
    "ostiary_client_keys_endpoint",
    authenticates=True,
)
