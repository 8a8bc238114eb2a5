"""Sends the e-mails of the queue: opens each, writes it and hands it over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from typing import TYPE_CHECKING, Protocol

from ostiary.authorization_server.deliverer import Undeliverable
from ostiary.model.delivery import Delivery
from ostiary.settings.email import EmailSettings
from ostiary.user_authentication.mail import compose, letters
from ostiary.user_authentication.mail.outbox import Outbox
from ostiary.user_authentication.mail.smtp import Smtp
from ostiary.user_authentication.password_reset import letters_for

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer


class Transport(Protocol):
    """What a message is handed to. Raises Undeliverable and Unavailable."""

    async def send(self, message: EmailMessage, sender: str, to: str) -> None: ...


def transport_of(settings: EmailSettings) -> Transport | None:
    """The mail server or the outbox; None if there is neither."""
    if settings.smtp_host:
        return Smtp(settings)
    return Outbox(settings.outbox_dir) if settings.outbox_dir is not None else None


def handler(server: AuthorizationServer, transport: Transport | None = None) -> Callable[[Delivery], Awaitable[None]]:
    """What sends the e-mail of each delivery. transport: what the settings name, if not given."""
    settings = server.settings.email
    taking = transport or transport_of(settings)

    async def send(delivery: Delivery) -> None:
        if taking is None:
            raise Undeliverable("no e-mail is set up: set email.smtp_host")
        letter, now = letters.opened(server, delivery), server.clock()
        due = await letters_for(server, letter, now) if letter.template == "reset_wanted" else [letter]
        for place, one in enumerate(due):
            # Several accounts may have one address: each letter has a name of its own, the same at a repetition.
            name = delivery.delivery_id + (f"-{place}" if place else "")
            await taking.send(compose.message_of(server, one, name, now), settings.from_address, one.to)

    return send
