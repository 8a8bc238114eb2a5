"""A mail server on loopback that keeps what it gets, and what tests read in a message."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.smtp import SMTP, AuthResult

from ostiary.authorization_server.deliverer import Deliverer
from ostiary.settings.email import EmailSettings
from ostiary.user_authentication.mail import postman
from tests.user_authentication.browser import PeopleWorld

USER, PASSWORD = b"ostiary", b"relay-secret"


@dataclass
class Kept:
    """answers: what the server says to RCPT TO and to DATA instead of taking them."""

    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    port: int = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if "RCPT" not in self.answers:
            envelope.rcpt_tos.append(address)
        return self.answers.get("RCPT", "250 OK")

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if "DATA" in self.answers:
            return self.answers["DATA"]
        self.messages.append(parsed(envelope.content))
        self.recipients += envelope.rcpt_tos
        self.encrypted.append(session.ssl is not None)
        return "250 OK"


def parsed(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def plain(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def html(message: EmailMessage) -> str:
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content())


@contextmanager
def mail_server(
    authority: trustme.CA | None = None, *, name: str = "localhost", tls: bool = False, authenticate: bool = False
) -> Iterator[Kept]:
    """authority: by which it has a certificate for ``name``, offered by STARTTLS or, with ``tls``, from the start."""
    context = None
    if authority is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(name).configure_cert(context)

    def check(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        # Not handled: the server itself says 535, instead of leaving its client without an answer.
        return AuthResult(success=(given.login, given.password) == (USER, PASSWORD), handled=False)

    kept = Kept()
    options: dict[str, Any] = {} if tls else {"tls_context": context}
    if authenticate:
        options |= {"authenticator": check, "auth_required": True, "auth_require_tls": not tls}
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    serving = loop.create_server(
        lambda: SMTP(kept, hostname="mail", loop=loop, **options), "127.0.0.1", 0, ssl=context if tls else None
    )
    server = asyncio.run_coroutine_threadsafe(serving, loop).result(10)
    kept.port = server.sockets[0].getsockname()[1]
    try:
        yield kept
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def with_email(world: PeopleWorld, **settings: Any) -> Path:
    """Have the world send e-mail, into the folder that this gives unless ``settings`` say otherwise."""
    outbox = world.folder / "outbox"
    given = settings or {"outbox_dir": outbox}
    email = EmailSettings.model_validate({"from_address": "door@example.com", **given})
    world.settings = world.settings.model_copy(update={"email": email})
    world.server.settings = world.settings
    return outbox


def delivered(world: PeopleWorld, outbox: Path) -> list[EmailMessage]:
    """Work through the queue as the server does; every mail that is in the outbox then, and none twice."""
    deliverer = Deliverer(world.storage, {"email": postman.handler(world.server)}, world.clock)
    world.run(deliverer.run_once())
    files = sorted(outbox.glob("*.eml")) if outbox.exists() else []
    messages = [parsed(file.read_bytes()) for file in files]
    for file in files:
        file.unlink()
    return messages


def link_in(message: EmailMessage) -> str:
    (link,) = [line for line in plain(message).splitlines() if line.startswith("https://")]
    assert link in html(message)
    return link
