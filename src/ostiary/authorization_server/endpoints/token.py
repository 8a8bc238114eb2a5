"""The token endpoint: RFC 6749 section 3.2."""

from __future__ import annotations

from functools import partial

from ostiary.audit import tags
from ostiary.authorization_server import tokens
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.exchange import Answer, Exchange, authenticated
from ostiary.authorization_server.grants import GRANTS, Approval, Burnt, GrantType
from ostiary.authorization_server.http import Response, json_response
from ostiary.authorization_server.sender_constraint import binding_for
from ostiary.authorization_server.tokens import Issued, Order
from ostiary.errors import OAuthError
from ostiary.model.event import AuditEvent
from ostiary.protocol.checks import shown
from ostiary.storage.base import UnitOfWork

_GRANTS = {grant.name: grant for grant in GRANTS}


async def _decide(exchange: Exchange) -> Answer:
    grant = _grant_type(exchange)
    exchange.brief = grant.brief
    # Before the grant, so that a call over the wrong endpoint spends no code.
    exchange.certificate_thumbprint = await binding_for(
        exchange.server,
        exchange.client.client,
        exchange.request.peer_certificate,
        exchange.now,
        exchange.trace.note,
    )
    try:
        approval = await grant.handler(exchange)
    except OAuthError:
        exchange.trace.context |= {name: exchange.form[name] for name in grant.parameters if name in exchange.form}
        raise
    if isinstance(approval, Burnt):
        return partial(_burn, approval)
    issued = await tokens.issue(exchange.server, _order(exchange, approval))
    return partial(_answer, exchange, approval, issued, approval.members(issued))


async def _burn(burnt: Burnt, work: UnitOfWork) -> Response:
    await burnt.settle(work)
    raise burnt.error


def _order(exchange: Exchange, approval: Approval) -> Order:
    return Order(
        client=exchange.client.client,
        api=approval.api,
        grant=approval.grant,
        subject=approval.subject,
        scopes=approval.scopes,
        key_thumbprint=exchange.client.key_thumbprint,
        rev=exchange.positions.revocation,
        now=exchange.now,
        claims=approval.claims,
        session_id=approval.session_id,
        until=approval.until,
        certificate_thumbprint=exchange.certificate_thumbprint,
    )


def _grant_type(exchange: Exchange) -> GrantType:
    named = exchange.form.get("grant_type")
    if named is None:
        raise OAuthError("invalid_request", "grant_type is missing", check="grant_type", expected=" or ".join(_GRANTS))
    grant = _GRANTS.get(named)
    if grant is None:
        raise OAuthError(
            "unsupported_grant_type",
            "this grant type is not supported",
            check="grant_type",
            seen=shown(named),
            expected=" or ".join(_GRANTS),
        )
    if named not in exchange.client.client.grant_types:
        raise OAuthError(
            "unauthorized_client",
            "this client may not use this grant type",
            check="grant_type",
            seen=shown(named),
            expected=" or ".join(exchange.client.client.grant_types) or "none",
            mend="let the operator allow the client this grant type",
        )
    # "The client credentials grant type MUST only be used by confidential clients." RFC 6749 4.4; so no grant is for
    # public clients unless it says so.
    if exchange.client.is_public and not grant.for_public_clients:
        raise OAuthError(
            "unauthorized_client",
            "this grant type is for clients that authenticate",
            check="grant_type",
            seen=f"{named} by a public client",
            expected="a confidential client",
            mend="register a client with a key for it",
        )
    return grant


async def _answer(
    exchange: Exchange, approval: Approval, issued: Issued, members: dict[str, object], work: UnitOfWork
) -> Response:
    members = members | await approval.settle(work)
    await work.tokens.add(issued.record)
    await work.audit.append(_event(exchange, issued))
    exchange.server.on_event("token_issued", {"format": issued.record.format})
    answer = {
        "access_token": issued.text,
        "token_type": "Bearer",
        "expires_in": issued.life,
        "scope": issued.record.scope,
    }
    return json_response(answer | members if members else answer)


def _event(exchange: Exchange, issued: Issued) -> AuditEvent:
    record = issued.record
    return AuditEvent(
        tag=tags.TOKEN_ISSUED,
        outcome="allowed",
        at=int(exchange.now * 1000),
        actor=record.client_id,
        target=record.jti,
        key_thumbprint=record.key_thumbprint,
        details={"api": record.audience, "scope": record.scope, "format": record.format},
    )


ENDPOINT = Endpoint(
    "token",
    "/token",
    ("POST",),
    authenticated("token", tags.TOKEN_REFUSED, _decide, public_clients=True),
    "token_endpoint",
    authenticates=True,
    cross_origin=True,
    public_clients=True,
)
