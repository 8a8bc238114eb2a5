"""Letters: what they say, in which language, and that nothing in them becomes another header or markup."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from ostiary.authorization_server.deliverer import Deliverer, Undeliverable
from ostiary.model.delivery import Delivery
from ostiary.user_authentication.mail import compose, letters, postman
from ostiary.user_authentication.mail.letters import Letter, Template
from ostiary.user_authentication.mail.outbox import Outbox
from tests.authorization_server.world import ISSUER
from tests.user_authentication.browser import Browser, PeopleWorld
from tests.user_authentication.mail import delivered, html, parsed, plain, with_email

TEMPLATES = [template for template in get_args(Template) if template != "reset_wanted"]
LINKED = ("verify_address", "password_reset")
CONTEXT: dict[str, str | int] = {
    "username": "ada",
    "device": "Firefox on Linux",
    "address": "192.0.2.7",
    "at": 1_800_000_000,
    "kind": "passkey",
    "life": 1200,
    "client": "orders",
    "kid": "orders-2",
}


def letter(template: Template = "new_browser", /, **changes: Any) -> Letter:
    context = CONTEXT | ({"link": f"{ISSUER}/x?token=y"} if template in LINKED else {})
    given: dict[str, Any] = {"to": "ada@example.com", "context": context, "language": "en"} | changes
    return Letter(template=template, **given)


def message_of(world: PeopleWorld, one: Letter) -> Any:
    return parsed(compose.message_of(world.server, one, "dlv_1", world.clock()).as_bytes())


@pytest.fixture(autouse=True)
def _set_up(world: PeopleWorld) -> None:
    with_email(world)


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_letter_is_whole_in_every_language(world: PeopleWorld, template: Template, language: str) -> None:
    message = message_of(world, letter(template, language=language))
    assert message.get_content_type() == "multipart/alternative"
    assert message["Content-Language"] == language
    assert message["Subject"]
    for text in (plain(message), html(message)):
        assert "{" not in text
        assert "ada" in text
        assert (f"{ISSUER}/x?token=y" in text) == (template in LINKED)


def test_a_letter_has_the_headers_of_an_automatic_message(world: PeopleWorld) -> None:
    """RFC 3834 section 5; the same delivery is the same message, so that a repetition is known as one."""
    message = message_of(world, letter())
    assert (message["From"], message["To"]) == ("Ostiary <door@example.com>", "ada@example.com")
    assert (message["Auto-Submitted"], message["Message-ID"]) == ("auto-generated", "<dlv_1@example.com>")
    assert message["Date"].datetime.timestamp() == int(world.clock())


def test_news_of_a_sign_in_says_device_address_and_time(world: PeopleWorld) -> None:
    text = plain(message_of(world, letter()))
    for said in ("Firefox on Linux", "192.0.2.7", "15 Jan 2027, 08:00 UTC", f"{ISSUER}/account"):
        assert said in text


@pytest.mark.parametrize(
    "evil", ["a@b.c\r\nBcc: eve@example.com", "a@b.c\nX: y", "a@b.c, eve@example.com", "a@b@c", ""]
)
def test_an_address_cannot_become_another_header_or_recipient(world: PeopleWorld, evil: str) -> None:
    with pytest.raises(Undeliverable):
        compose.message_of(world.server, letter(to=evil), "dlv_1", world.clock())


@pytest.mark.parametrize("name", ["username", "device", "address"])
def test_nothing_that_somebody_chose_becomes_a_header_or_markup(world: PeopleWorld, name: str) -> None:
    evil = "x\r\nBcc: eve@example.com\r\n\r\n<script>evil()</script>"
    message = message_of(world, letter(context=CONTEXT | {name: evil}))
    assert message["Bcc"] is None
    assert "<script>" not in html(message)
    assert message.get_content_type() == "multipart/alternative"


def test_an_application_name_with_a_line_break_is_an_error_and_not_a_header(world: PeopleWorld) -> None:
    sign_in = world.settings.sign_in.model_copy(update={"application_name": "Door\r\nBcc: eve@example.com"})
    world.server.settings = world.settings.model_copy(update={"sign_in": sign_in})
    with pytest.raises(ValueError, match=r"CR and LF|invalid|newline"):
        compose.message_of(world.server, letter(), "dlv_1", world.clock())


def test_a_user_is_written_to_in_their_language(world: PeopleWorld) -> None:
    user = world.add_user("anna", email="anna@example.com", email_verified=True, claims={"locale": "de-AT"})
    assert letters.language_of(world.server, user) == "de"
    outbox = with_email(world)
    Browser(world).sign_in("anna")
    (message,) = delivered(world, outbox)
    assert message["Subject"] == "Neue Anmeldung an Ihrem Konto bei Ostiary"
    Browser(world).sign_in("anna")
    assert len(delivered(world, outbox)) == 1, "a second browser is news again"


def test_a_sign_in_in_a_known_browser_is_no_news(world: PeopleWorld, browser: Browser) -> None:
    world.add_user("bob", email="bob@example.com", email_verified=True)
    outbox = with_email(world)
    browser.sign_in("bob")
    assert len(delivered(world, outbox)) == 1
    browser.sign_in("bob")
    assert delivered(world, outbox) == []


def test_a_delivery_that_is_repeated_later_is_no_second_file(world: PeopleWorld) -> None:
    """Two letters of one instant, of one wish: each has its file, and a repetition none."""
    outbox = Outbox(world.folder / "outbox")
    for seconds in (0, 30):
        for name in ("dlv_1", "dlv_1-1", "dlv_2"):
            message = compose.message_of(world.server, letter(), name, world.clock() + seconds)
            world.run(outbox.send(message, "door@example.com", "ada@example.com"))
    names = sorted(file.name for file in (world.folder / "outbox").iterdir())
    assert names == [f"20270115T080000Z-{name}.eml" for name in ("dlv_1-1", "dlv_1", "dlv_2")]


def test_mails_in_the_outbox_are_for_their_owner_alone(world: PeopleWorld) -> None:
    outbox = with_email(world)
    world.write(lambda work: letters.queue(world.server, work, letter(), world.clock()))
    world.run(Deliverer(world.storage, {"email": postman.handler(world.server)}, world.clock).run_once())
    (file,) = outbox.iterdir()
    assert (file.stat().st_mode & 0o777, outbox.stat().st_mode & 0o777) == (0o600, 0o700)
    assert file.name.startswith("20270115T080000Z-dlv_")


def test_a_queued_letter_is_sealed(world: PeopleWorld) -> None:
    world.write(lambda work: letters.queue(world.server, work, letter("password_reset"), world.clock()))
    (delivery,) = world.read(lambda work: work.deliveries.due(now=int(world.clock())))
    assert b"example.com" not in delivery.payload
    assert letters.opened(world.server, delivery) == letter("password_reset")


def test_a_payload_of_another_delivery_is_given_up(world: PeopleWorld) -> None:
    world.write(lambda work: letters.queue(world.server, work, letter(), world.clock()))
    (delivery,) = world.read(lambda work: work.deliveries.due(now=int(world.clock())))
    for payload in (delivery.payload[:-1] + b"x", b"", delivery.payload):
        moved = Delivery("dlv_other", "email", payload, 0, 1)
        with pytest.raises(Undeliverable):
            letters.opened(world.server, moved)
