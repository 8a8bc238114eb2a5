"""What a user is told by e-mail about their own account: queued in the transaction of what happened, sent later."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec

from ostiary.model.delivery import Delivery
from ostiary.model.session import Session
from ostiary.model.user import User
from ostiary.storage.base import UnitOfWork

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

PURPOSE = "delivery"
"""Of the seal of a payload; its context is the delivery's id."""

_GIVE_UP_AFTER = 86_400


async def new_browser(server: AuthorizationServer, work: UnitOfWork, user: User, session: Session, now: float) -> None:
    """Tell the user that somebody, they or another, signed in with a browser that was not seen before (ASVS 6.3.5).

    Nothing is sent to an address that the user has not shown to be theirs.
    """
    context = {"device": session.device, "address": session.address, "at": int(now)}
    await _queue(server, work, user, "new_browser", context, now)


async def _queue(
    server: AuthorizationServer, work: UnitOfWork, user: User, template: str, context: dict[str, object], now: float
) -> None:
    if not user.email or not user.email_verified:
        return
    delivery_id = "dlv_" + secrets.token_hex(12)
    payload = msgspec.json.encode({"to": user.email, "template": template, "context": context})
    sealed = server.seals.seal(PURPOSE, payload, context=delivery_id.encode("ascii"))
    await work.deliveries.add(Delivery(delivery_id, "email", sealed, int(now), int(now) + _GIVE_UP_AFTER))
