"""A client registers its next key by signing with its present one; the new key ends and falls with the old.

The request carries the usual client assertion and, as ``next_key``, the JWT of ``protocol.next_key``. Only a key that
stands in the store can be a parent: a published key may leave its document at any time, and its children would stay.
"""

from __future__ import annotations

import json
from functools import partial
from math import ceil
from typing import Final

from ostiary.audit import tags
from ostiary.authorization_server.client_authentication.private_key_jwt import LEEWAY
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.exchange import Answer, Exchange, authenticated
from ostiary.authorization_server.http import Response, json_response
from ostiary.authorization_server.registry import StoredKey
from ostiary.errors import OAuthError, VerificationError
from ostiary.model.client_key import ClientKey
from ostiary.model.event import AuditEvent
from ostiary.protocol import jws as compact
from ostiary.protocol import next_key
from ostiary.protocol.checks import JTI, KEY
from ostiary.protocol.jwk import VerificationKey
from ostiary.protocol.next_key import NextKey
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication import news

MAX_LIVE_KEYS: Final = 8
"""Keys of one client that are active and not expired; more than this and a client must retire one first."""


async def _decide(exchange: Exchange) -> Answer:
    _check_allowed(exchange)
    parent, stored = await _parent(exchange)
    live = [key for key in stored if key.record.state == "active" and not _expired(key.record, exchange.now)]
    if len(live) >= MAX_LIVE_KEYS:
        raise _refused("key_count", "too many keys", seen=f"{len(live)} live keys", expected=f"below {MAX_LIVE_KEYS}")
    return partial(_answer, exchange, parent.record, _verified(exchange, parent.key))


def _check_allowed(exchange: Exchange) -> None:
    if not exchange.client.client.may_register_keys:
        raise OAuthError(
            "unauthorized_client",
            "this client may not register keys",
            status=403,
            check="may_register_keys",
            mend="let the operator add the key, or allow the client to register its next key",
        )


async def _parent(exchange: Exchange) -> tuple[StoredKey, list[StoredKey]]:
    caller = exchange.client
    stored = list(await exchange.server.registry.client_keys(caller.client.client_id))
    for key in stored:
        if key.record.thumbprint == caller.key_thumbprint and key.record.certificate is None:
            return key, stored
    raise _refused(
        KEY,
        "the present key is not in the key store",
        seen="a published key, or a certificate",
        expected="a key that is registered",
    )


def _verified(exchange: Exchange, present: VerificationKey) -> NextKey:
    presented = exchange.form.get("next_key")
    if presented is None:
        raise _refused("next_key", "next_key is missing", expected="the parameter next_key")
    try:
        # The JWT is signed by the very key that authenticated the client: the one that is to be the parent.
        return next_key.verify(
            compact.parse(presented),
            present,
            client_id=exchange.client.client.client_id,
            issuer=exchange.server.issuer,
            now=exchange.now,
            leeway=LEEWAY,
            note=exchange.trace.note,
        )
    except VerificationError as error:
        raise OAuthError.of(error) from None


async def _answer(exchange: Exchange, parent: ClientKey, proved: NextKey, work: UnitOfWork) -> Response:
    until, since = ceil(proved.exp + LEEWAY), proved.usable_from
    now = int(exchange.now)
    if not await work.replay.mark(proved.client_id, proved.jti, expires_at=until, usable_from=since, now=now):
        raise _refused(JTI, "the request was used before", seen="a jti that was used before", expected="a new jti")
    new = _child(proved.key, parent, int(exchange.now))
    # Not told whose it is: a key belongs to one client, and nobody may find out by trying.
    if await work.client_keys.by_thumbprint(new.thumbprint) or await work.client_keys.get(new.client_id, new.kid):
        raise _refused(KEY, "the key cannot be registered", seen="key or kid is taken", expected="a new key and kid")
    await work.client_keys.add(new)
    await work.audit.append(_event(exchange, new))
    await news.client_key(exchange.server, work, new, exchange.now)
    exchange.server.on_event("client_key_registered", {})
    return json_response({"kid": new.kid, "expires_at": new.expires_at}, status=201)


def _child(key: VerificationKey, parent: ClientKey, now: int) -> ClientKey:
    return ClientKey(
        client_id=parent.client_id,
        kid=key.kid,
        thumbprint=key.thumbprint,
        alg=key.alg,
        jwk=json.dumps(key.public_jwk()),
        source="registered",
        state="active",
        owner=parent.owner,
        not_before=now,
        # It inherits its parent's end: a stolen key cannot prolong itself.
        expires_at=parent.expires_at,
        parent=parent.thumbprint,
        created_at=now,
        last_used_at=None,
        tenant=parent.tenant,
    )


def _event(exchange: Exchange, new: ClientKey) -> AuditEvent:
    return AuditEvent(
        tag=tags.CLIENT_KEY_REGISTERED_BY_CLIENT,
        outcome="done",
        at=int(exchange.now * 1000),
        actor=new.client_id,
        target=new.client_id,
        key_thumbprint=exchange.client.key_thumbprint,
        details={"kid": new.kid, "thumbprint": new.thumbprint, "owner": new.owner, "alg": new.alg},
    )


def _expired(key: ClientKey, now: float) -> bool:
    return key.expires_at is not None and key.expires_at <= now


def _refused(check: str, public: str, *, seen: str = "", expected: str = "", mend: str = "") -> OAuthError:
    return OAuthError("invalid_request", public, check=check, seen=seen, expected=expected, mend=mend)


ENDPOINT = Endpoint(
    "next_key",
    "/client-keys/next",
    ("POST",),
    authenticated("next_key", tags.CLIENT_KEY_REFUSED, _decide, changes_registry=True),
    "ostiary_next_key_endpoint",
    authenticates=True,
)
