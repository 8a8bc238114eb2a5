"""Authorizations and challenges: RFC 8555 sections 7.5, 7.5.1 and 7.5.2."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ostiary.audit import tags
from ostiary.authorization_server.endpoints.acme import answers, views
from ostiary.authorization_server.endpoints.acme.exchange import AcmeExchange, Answer, signed
from ostiary.authorization_server.http import Response
from ostiary.certificate_authority.acme.ordering import after_proof, authorization_state, cleared
from ostiary.certificate_authority.acme.problems import malformed, not_found
from ostiary.model.acme import AcmeAuthorization, AcmeChallenge
from ostiary.storage.base import UnitOfWork


async def _authorization(exchange: AcmeExchange) -> Answer:
    members = exchange.members() if exchange.jws.payload else {}
    if members.get("status") not in (None, "deactivated"):
        raise malformed("an authorization can only be deactivated", check="status")
    return partial(_told, exchange, members.get("status") == "deactivated")


async def _told(exchange: AcmeExchange, ending: bool, work: UnitOfWork) -> Response:
    found = await work.acme_orders.authorization(exchange.rest)
    if found is None or found.account_id != exchange.account.account_id:
        raise not_found("authorization")
    if ending:
        found = await _deactivated(exchange, found, work)
    challenges = await work.acme_orders.challenges(found.authorization_id)
    members = views.authorization(exchange.urls, found, challenges, exchange.now)
    processing = any(one.state == "processing" for one in challenges)
    again = [answers.retry_after(views.CHECK_AGAIN)] if processing else []
    return answers.told(exchange.server, members, *again)


async def _deactivated(exchange: AcmeExchange, found: AcmeAuthorization, work: UnitOfWork) -> AcmeAuthorization:
    """The authorization, given up; its order can be completed no more unless it has been."""
    order = await work.acme_orders.get(found.order_id)
    if order is not None:
        await work.acme_orders.move(order, was=order.state)  # held, as the validation holds it
    ended = replace(found, state="deactivated")
    if found.state not in ("pending", "valid") or not await work.acme_orders.move_authorization(ended, was=found.state):
        raise malformed("the authorization has ended", check="authorization", seen=found.state)
    if order is not None and order.state in ("pending", "ready"):
        authorizations = await work.acme_orders.authorizations(order.order_id)
        await work.acme_orders.move(after_proof(replace(order, state="pending"), authorizations), was=order.state)
    event = exchange.act().event(tags.ACME_AUTHORIZATION_DEACTIVATED, ended.authorization_id, name=ended.identifier)
    await work.audit.append(event)
    return ended


async def _challenge(exchange: AcmeExchange) -> Answer:
    # An empty JSON object says that the client is ready; an empty payload only reads (section 7.5.1).
    if exchange.jws.payload:
        exchange.members()
    return partial(_answered, exchange)


async def _answered(exchange: AcmeExchange, work: UnitOfWork) -> Response:
    found = await work.acme_orders.challenge(exchange.rest)
    if found is None or found.account_id != exchange.account.account_id:
        raise not_found("challenge")
    authorization = await work.acme_orders.authorization(found.authorization_id)
    if authorization is None:
        raise not_found("challenge")
    if exchange.jws.payload and found.state == "pending":
        found = await _begun(exchange, found, authorization, work)
    up = exchange.urls.of("authorization", authorization.authorization_id)
    again = [answers.retry_after(views.CHECK_AGAIN)] if found.state == "processing" else []
    link = (b"link", f'<{up}>;rel="up"'.encode())
    return answers.told(exchange.server, views.challenge(exchange.urls, found), link, *again)


async def _begun(
    exchange: AcmeExchange, found: AcmeChallenge, authorization: AcmeAuthorization, work: UnitOfWork
) -> AcmeChallenge:
    state = authorization_state(authorization, exchange.now)
    if state != "pending":
        raise malformed("the authorization is not pending", check="authorization", seen=state, expected="pending")
    begun = cleared(found, int(exchange.now))
    if await work.acme_orders.move_challenge(begun, was="pending", attempts=0):
        event = exchange.act().event(
            tags.ACME_CHALLENGE_BEGUN, found.challenge_id, kind=found.kind, name=authorization.identifier
        )
        await work.audit.append(event)
    return begun


AUTHORIZATION = signed("authorization", "/authorization/", _authorization)
CHALLENGE = signed("challenge", "/challenge/", _challenge)
