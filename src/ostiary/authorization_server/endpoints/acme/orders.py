"""Orders: RFC 8555 section 7.4, RFC 9773 section 5."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial

from cryptography import x509

from ostiary.audit import tags
from ostiary.authorization_server.endpoints.acme import answers, views
from ostiary.authorization_server.endpoints.acme.exchange import AcmeExchange, Answer, signed
from ostiary.authorization_server.http import Response
from ostiary.certificate_authority import issuing
from ostiary.certificate_authority.acme.finalizing import proof_of, wanted
from ostiary.certificate_authority.acme.ordering import NewOrder, new_order, order_state
from ostiary.certificate_authority.acme.permission import parse_identifiers
from ostiary.certificate_authority.acme.problems import Problem, malformed, not_found, of_verification
from ostiary.certificate_authority.acme.renewal import certificate_id, parse_certificate_id
from ostiary.certificate_authority.authorities import OpenAuthority
from ostiary.certificate_authority.issuing import Prepared
from ostiary.errors import ConfigurationError, VerificationError
from ostiary.model.acme import AcmeOrder
from ostiary.storage.base import UnitOfWork


async def _new(exchange: AcmeExchange) -> Answer:
    members, settings = exchange.members(), exchange.server.settings.acme
    identifiers = parse_identifiers(members.get("identifiers"), exchange.permission, settings.max_identifiers)
    authority = await _authority(exchange)
    try:
        for identifier in identifiers:
            authority.constraints.check(identifier)
    except VerificationError as error:
        raise of_verification(error, "rejectedIdentifier") from None
    not_after, replaces = _not_after(exchange, members), _replaces(members)
    order = new_order(
        exchange.account.account_id, identifiers, int(exchange.now), not_after=not_after, replaces=replaces
    )
    return partial(_made, exchange, order)


async def _authority(exchange: AcmeExchange) -> OpenAuthority:
    authorities = exchange.server.authorities
    await authorities.refresh()
    try:
        return authorities.issuing()
    except ConfigurationError as error:
        raise Problem(
            "serverInternal", "there is no certificate authority here", status=503, check="authority", mend=str(error)
        ) from None


def _not_after(exchange: AcmeExchange, members: dict[str, object]) -> int | None:
    """The end that is asked for, within the bounds of the profile. Raises Problem."""
    if "notBefore" in members:
        mend = "leave notBefore out: a certificate begins when it is issued"
        raise malformed("notBefore cannot be chosen", check="life", mend=mend)
    if "notAfter" not in members:
        return None
    try:
        moment = datetime.fromisoformat(str(members["notAfter"]))
        # Without its offset it would be taken for a time where this server stands.
        if moment.tzinfo is None:
            raise ValueError
        wanted_end = int(moment.timestamp())
    except (ValueError, OverflowError):
        raise malformed("notAfter is no time", check="life", expected="RFC 3339") from None
    most = exchange.server.settings.certificate_authority.server.max_life
    if not 0 < wanted_end - exchange.now <= most:
        raise malformed("notAfter is out of bounds", check="life", expected=f"within {most} s from now")
    return wanted_end


def _replaces(members: dict[str, object]) -> str:
    value = members.get("replaces")
    if value is None:
        return ""
    if not isinstance(value, str):
        raise malformed("replaces is no certificate id", check="replaces")
    try:
        parse_certificate_id(value)
    except Problem:
        raise malformed("replaces is no certificate id", check="replaces", expected="RFC 9773 section 4.1") from None
    return value


async def _made(exchange: AcmeExchange, new: NewOrder, work: UnitOfWork) -> Response:
    account, settings = exchange.account, exchange.server.settings.acme
    if await work.acme_orders.open(account.account_id, now=int(exchange.now)) >= settings.max_open_orders:
        raise Problem(
            "rateLimited",
            "too many orders are open",
            status=429,
            headers={"Retry-After": "3600"},
            check="orders",
            expected=f"fewer than {settings.max_open_orders}",
            mend="complete orders, or deactivate their authorizations",
        )
    if new.order.replaces:
        await _check_predecessor(exchange, new.order, work)
    await work.acme_orders.add(new.order, new.authorizations, new.challenges)
    names = ", ".join(new.order.identifiers)
    await work.audit.append(exchange.act().event(tags.ACME_ORDER_CREATED, new.order.order_id, names=names))
    return await _answer(exchange, new.order, work, 201)


async def _check_predecessor(exchange: AcmeExchange, order: AcmeOrder, work: UnitOfWork) -> None:
    """Whether the predecessor was issued to this account, for one of the names at least, and has no successor (RFC 9773
    section 5). Raises Problem."""
    found = await work.certificates.get(parse_certificate_id(order.replaces).serial)
    if (
        found is None
        or found.proof != proof_of(exchange.account.account_id)
        or certificate_id(x509.load_der_x509_certificate(found.certificate)) != order.replaces
        or not set(found.identities) & set(order.identifiers)
    ):
        raise malformed(
            "replaces names no certificate of this account for such a name", check="replaces", seen=order.replaces
        )
    if any(order_state(one, exchange.now) != "invalid" for one in await work.acme_orders.replacing(order.replaces)):
        raise Problem("alreadyReplaced", "the certificate has a successor", status=409, check="replaces")


async def _order(exchange: AcmeExchange) -> Answer:
    order_id, _, more = exchange.rest.partition("/")
    if more == "finalize":
        return await _finalize(exchange, order_id)
    if more:
        raise not_found("order")
    exchange.check_is_get()
    return partial(_shown, exchange, order_id)


async def _shown(exchange: AcmeExchange, order_id: str, work: UnitOfWork) -> Response:
    return await _answer(exchange, await _own(exchange, order_id, work), work)


async def _finalize(exchange: AcmeExchange, order_id: str) -> Answer:
    """Decide and sign outside the transaction; what was signed exists for nobody until it commits."""
    csr = exchange.members().get("csr")
    async with exchange.server.storage.read() as work:
        order = await _own(exchange, order_id, work)
    _check_ready(order, exchange.now)
    # What the account may ask for can have been narrowed since the order was made.
    try:
        for identifier in order.identifiers:
            exchange.permission.check(identifier)
        await _authority(exchange)
        meant = wanted(order, exchange.account, csr, int(exchange.now))
        prepared = await issuing.prepare(exchange.server.authorities, meant, exchange.now)
    except VerificationError as error:
        raise of_verification(error) from None
    return partial(_issued, exchange, order, prepared)


def _check_ready(order: AcmeOrder, now: float) -> None:
    # "A request to finalize an order will result in error if the order is not in the 'ready' state." (section 7.4)
    state = order_state(order, now)
    if state != "ready":
        raise Problem(
            "orderNotReady",
            "the order cannot be finalized now",
            status=403,
            check="order",
            seen=state,
            expected="ready",
        )


async def _issued(exchange: AcmeExchange, order: AcmeOrder, prepared: Prepared, work: UnitOfWork) -> Response:
    """The order becomes valid in the transaction that records its certificate, or neither happens."""
    issued = replace(order, state="valid", serial=prepared.record.serial, expires_at=prepared.record.expires_at)
    if not await work.acme_orders.move(issued, was="ready"):
        _check_ready(await _own(exchange, order.order_id, work), exchange.now)
        raise Problem("orderNotReady", "the order is being finalized", status=403, check="order")
    try:
        await issuing.record(work, prepared, exchange.act())
    except VerificationError as error:
        await work.acme_orders.move(order, was="valid")
        raise of_verification(error, "badPublicKey" if error.check == "key" else "serverInternal") from None
    return await _answer(exchange, issued, work)


async def _own(exchange: AcmeExchange, order_id: str, work: UnitOfWork) -> AcmeOrder:
    found = await work.acme_orders.get(order_id)
    if found is None or found.account_id != exchange.account.account_id:
        raise not_found("order")
    return found


async def _answer(exchange: AcmeExchange, order: AcmeOrder, work: UnitOfWork, status: int = 200) -> Response:
    authorizations = await work.acme_orders.authorizations(order.order_id)
    members = views.order(exchange.urls, order, authorizations, exchange.now)
    where = answers.location(exchange.urls.of("order", order.order_id))
    again = [answers.retry_after(views.CHECK_AGAIN)] if members["status"] == "pending" else []
    return answers.told(exchange.server, members, where, *again, status=status)


NEW_ORDER = signed("new_order", "/new-order", _new)
ORDER = signed("order", "/order/", _order)
