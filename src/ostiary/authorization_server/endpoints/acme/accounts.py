"""Accounts: RFC 8555 sections 7.3 to 7.3.4 and 7.3.6."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

from ostiary.audit import tags
from ostiary.authorization_server.endpoints.acme import answers
from ostiary.authorization_server.endpoints.acme.exchange import AcmeExchange, Answer, signed
from ostiary.authorization_server.http import Response
from ostiary.certificate_authority.acme.binding import SEALED_FOR, check_binding, parse_binding
from ostiary.certificate_authority.acme.ordering import new_id
from ostiary.certificate_authority.acme.permission import check_contacts
from ostiary.certificate_authority.acme.problems import Problem, malformed, unauthorized
from ostiary.model.acme import AcmeAccount, AcmeCredential
from ostiary.storage.base import UnitOfWork


async def _new(exchange: AcmeExchange) -> Answer:
    members = exchange.members()
    if members.get("onlyReturnExisting") is True:
        return partial(_existing, exchange)
    contacts = check_contacts(members.get("contact", []))
    return partial(_made, exchange, members, contacts)


async def _existing(exchange: AcmeExchange, work: UnitOfWork) -> Response:
    found = await work.acme_accounts.by_thumbprint(exchange.key.thumbprint)
    if found is None:
        raise Problem("accountDoesNotExist", "this key has no account", check="account")
    return _returned(exchange, found)


async def _made(
    exchange: AcmeExchange, members: dict[str, object], contacts: tuple[str, ...], work: UnitOfWork
) -> Response:
    found = await work.acme_accounts.by_thumbprint(exchange.key.thumbprint)
    if found is not None:
        return _returned(exchange, found)
    _check_terms(exchange, members)
    credential = await _credential(exchange, members, work)
    account = AcmeAccount(
        account_id=new_id(),
        credential=credential.key_id if credential else "",
        owner=credential.owner if credential else "",
        jwk=json.dumps(exchange.key.public_jwk()),
        alg=exchange.key.alg,
        thumbprint=exchange.key.thumbprint,
        contacts=contacts,
        state="valid",
        created_at=int(exchange.now),
    )
    if not account.owner:
        account = replace(account, owner=f"acme:{account.account_id}")
    await _check_room(exchange, account, work)
    if not await work.acme_accounts.add(account):
        raise Problem("malformed", "the account is being made", status=409, check="account", mend="try again")
    event = exchange.act().event(tags.ACME_ACCOUNT_CREATED, account.account_id, credential=account.credential)
    await work.audit.append(event)
    return _answer(exchange, account, 201)


def _check_terms(exchange: AcmeExchange, members: dict[str, object]) -> None:
    terms = exchange.server.settings.acme.terms_of_service
    if terms and members.get("termsOfServiceAgreed") is not True:
        raise Problem(
            "userActionRequired",
            "the terms of service must be agreed to",
            status=403,
            headers={"Link": f'<{terms}>;rel="terms-of-service"'},
            check="terms",
            expected="termsOfServiceAgreed",
        )


async def _credential(exchange: AcmeExchange, members: dict[str, object], work: UnitOfWork) -> AcmeCredential | None:
    binding = members.get("externalAccountBinding")
    if binding is None and not exchange.server.settings.acme.external_account_required:
        return None
    inner = parse_binding(binding)
    found = await work.acme_credentials.get(inner.kid)
    return check_binding(inner, found, partial(_open, exchange), exchange.key, exchange.jws.url)


def _open(exchange: AcmeExchange, credential: AcmeCredential) -> bytes:
    return exchange.server.seals.open(SEALED_FOR, credential.sealed_key, context=credential.key_id.encode())


async def _check_room(exchange: AcmeExchange, account: AcmeAccount, work: UnitOfWork) -> None:
    most = exchange.server.settings.acme.max_accounts
    if await work.acme_accounts.count(account.credential) >= most:
        raise Problem(
            "rateLimited",
            "there are too many accounts of this kind",
            status=429,
            check="accounts",
            expected=f"fewer than {most}",
            mend="use an account that is there, or ask the operator for another credential",
        )


def _returned(exchange: AcmeExchange, found: AcmeAccount) -> Response:
    if found.state != "valid":
        raise unauthorized("the account of this key is deactivated", check="account", mend="make a new key")
    exchange.found = found
    return _answer(exchange, found, 200)


async def _account(exchange: AcmeExchange) -> Answer:
    account_id, _, more = exchange.rest.partition("/")
    if account_id != exchange.account.account_id or more not in ("", "orders"):
        raise unauthorized("this is not the account that asks", check="account")
    if more == "orders":
        exchange.check_is_get()
        return partial(_orders, exchange)
    return partial(_update, exchange, exchange.members() if exchange.jws.payload else {})


async def _orders(exchange: AcmeExchange, work: UnitOfWork) -> Response:
    orders = await work.acme_orders.of_account(exchange.account.account_id)
    return answers.told(exchange.server, {"orders": [exchange.urls.of("order", one.order_id) for one in orders]})


async def _update(exchange: AcmeExchange, members: dict[str, object], work: UnitOfWork) -> Response:
    account, tag = exchange.account, tags.ACME_ACCOUNT_UPDATED
    # What else stands there is not the client's to change, and is ignored (section 7.3.2).
    if "contact" in members:
        account = replace(account, contacts=check_contacts(members["contact"]))
    status = members.get("status")
    if status == "deactivated":
        account, tag = replace(account, state="deactivated"), tags.ACME_ACCOUNT_DEACTIVATED
    elif status not in (None, "valid"):
        raise malformed("an account can only be deactivated", check="status", seen=str(status)[:50])
    if account != exchange.account:
        if not await work.acme_accounts.replace(account):
            raise unauthorized("the account is deactivated", check="account")
        await work.audit.append(exchange.act().event(tag, account.account_id))
    return _answer(exchange, account, 200)


def _answer(exchange: AcmeExchange, account: AcmeAccount, status: int) -> Response:
    url = exchange.urls.of("account", account.account_id)
    members = {"status": account.state, "contact": list(account.contacts), "orders": f"{url}/orders"}
    return answers.told(exchange.server, members, answers.location(url), status=status)


NEW_ACCOUNT = signed("new_account", "/new-account", _new, by="key")
ACCOUNT = signed("account", "/account/", _account)
