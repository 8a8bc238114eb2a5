"""A letter to a user: what it is about, queued in the transaction of what happened, and sealed until it is sent."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from ostiary.authorization_server.deliverer import Undeliverable
from ostiary.errors import VerificationError
from ostiary.model.delivery import Delivery
from ostiary.model.user import User
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication.pages.languages import choose
from ostiary.user_authentication.pages.words import languages

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

PURPOSE: Final = "delivery"
"""Of the seal of a payload; its context is the delivery's id."""

GIVE_UP_AFTER: Final = 86_400
"""Seconds."""

Template = Literal[
    "new_browser",
    "factor_added",
    "factor_changed",
    "factor_removed",
    "address_changed",
    "verify_address",
    "password_reset",
    "no_password",
    "client_key",
    "reset_wanted",
]
"""``client_key`` is for the owner of a client. ``reset_wanted`` is no letter but the wish for one: whether it becomes
one is found out when it is due."""


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """to: the address. context: what the sentences of ``template`` are filled with. language: of a catalogue."""

    to: str
    template: Template
    context: dict[str, str | int] = {}
    language: str = "en"


_DECODER = msgspec.json.Decoder(Letter)


async def queue(
    server: AuthorizationServer, work: UnitOfWork, letter: Letter, now: float, *, life: int = GIVE_UP_AFTER
) -> None:
    """Have ``letter`` sent after this transaction. life: seconds after which it is given up. now: since the epoch."""
    delivery_id = "dlv_" + secrets.token_hex(12)
    sealed = server.seals.seal(PURPOSE, msgspec.json.encode(letter), context=delivery_id.encode("ascii"))
    await work.deliveries.add(Delivery(delivery_id, "email", sealed, int(now), int(now) + life))


def opened(server: AuthorizationServer, delivery: Delivery) -> Letter:
    """The letter in ``delivery``. Raises Undeliverable for what another version or another installation queued."""
    try:
        plain = server.seals.open(PURPOSE, delivery.payload, context=delivery.delivery_id.encode("ascii"))
        return _DECODER.decode(plain)
    except (VerificationError, msgspec.DecodeError):
        raise Undeliverable("its payload cannot be read") from None


def language_of(server: AuthorizationServer, user: User) -> str:
    """The language to write to ``user`` in: that of their claim ``locale`` (BCP 47), else that of the pages."""
    return choose(languages(), str(user.claims.get("locale", "")), "", server.settings.pages.language)
