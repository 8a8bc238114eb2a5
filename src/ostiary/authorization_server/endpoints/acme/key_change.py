"""An account gets another key: RFC 8555 section 7.3.5."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

from ostiary.audit import tags
from ostiary.authorization_server.endpoints.acme import answers
from ostiary.authorization_server.endpoints.acme.exchange import AcmeExchange, Answer, signed
from ostiary.authorization_server.http import Response
from ostiary.certificate_authority.acme.problems import Problem, malformed, unauthorized
from ostiary.errors import VerificationError
from ostiary.protocol import acme_jws
from ostiary.protocol.jwk import VerificationKey, parse_public_key
from ostiary.storage.base import UnitOfWork


async def _decide(exchange: AcmeExchange) -> Answer:
    # The checks of section 7.3.5 in their order; the outer JWS was verified by the account's present key.
    inner = acme_jws.parse(exchange.members())
    if not inner.jwk:
        raise malformed("the new key must be given as jwk", check="header", expected="jwk in the inner JWS")
    key = acme_jws.key_of(inner)
    acme_jws.verify(inner, key)
    if inner.url != exchange.jws.url or inner.nonce:
        raise malformed("url or nonce of the inner JWS is not right", check="url", seen=inner.url)
    members = inner.members()
    if members.get("account") != exchange.urls.of("account", exchange.account.account_id):
        raise unauthorized("the inner JWS is for another account", check="account")
    if not _is_old(exchange, members.get("oldKey")):
        raise malformed("oldKey is not the account's present key", check="key")
    return partial(_answer, exchange, key)


def _is_old(exchange: AcmeExchange, jwk: object) -> bool:
    try:
        found = parse_public_key(jwk, alg=exchange.key.alg) if isinstance(jwk, dict) else None
    except VerificationError:
        return False
    return found is not None and found.thumbprint == exchange.key.thumbprint


async def _answer(exchange: AcmeExchange, key: VerificationKey, work: UnitOfWork) -> Response:
    account = exchange.account
    taken = await work.acme_accounts.by_thumbprint(key.thumbprint)
    if taken is not None:
        # Section 7.3.5: 409 (Conflict), and the URL of the account that has the key.
        url = exchange.urls.of("account", taken.account_id)
        raise Problem("malformed", "the key has an account", status=409, headers={"Location": url}, check="key")
    changed = replace(account, jwk=json.dumps(key.public_jwk()), alg=key.alg, thumbprint=key.thumbprint)
    if not await work.acme_accounts.replace(changed):
        raise unauthorized("the account is deactivated", check="account")
    event = exchange.act().event(tags.ACME_ACCOUNT_KEY_CHANGED, account.account_id, thumbprint=key.thumbprint)
    await work.audit.append(event)
    url = exchange.urls.of("account", account.account_id)
    members = {"status": changed.state, "contact": list(changed.contacts), "orders": f"{url}/orders"}
    return answers.told(exchange.server, members, answers.location(url))


ENDPOINT = signed("key_change", "/key-change", _decide)
