"""Sending by a real mail server on loopback, with TLS that must verify, and what becomes of its refusals."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from ostiary.authorization_server.deliverer import Deliverer
from ostiary.user_authentication.mail import letters, postman
from ostiary.user_authentication.mail import smtp as smtp_room
from tests.user_authentication.browser import PeopleWorld
from tests.user_authentication.mail import PASSWORD, USER, Kept, mail_server, plain, with_email
from tests.user_authentication.test_mail import letter


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Whom the clients of these tests trust."""
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> str:
    """Its certificate as a file."""
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)
    return str(file)


@pytest.fixture
def relay(authority: trustme.CA) -> Iterator[Kept]:
    """A mail server with STARTTLS for the name localhost."""
    with mail_server(authority) as kept:
        yield kept


def send(world: PeopleWorld, port: int, **settings: Any) -> tuple[int, int]:
    """Queue a letter and try it once; how many arrived, and how many are left in the queue."""
    with_email(world, smtp_host=settings.pop("smtp_host", "localhost"), smtp_port=port, **settings)
    world.write(lambda work: letters.queue(world.server, work, letter(), world.clock()))
    deliverer = Deliverer(world.storage, {"email": postman.handler(world.server)}, world.clock)
    arrived = world.run(deliverer.run_once())
    left = world.read(lambda work: work.deliveries.due(now=int(world.clock()) + 10_000))
    return arrived, len(left)


def test_a_letter_arrives_over_starttls(world: PeopleWorld, relay: Kept, trusted: str) -> None:
    assert send(world, relay.port, ca_file=trusted) == (1, 0)
    (message,) = relay.messages
    assert relay.recipients == ["ada@example.com"]
    assert relay.encrypted == [True]
    assert "Firefox on Linux" in plain(message)


def test_a_letter_arrives_over_implicit_tls(world: PeopleWorld, authority: trustme.CA, trusted: str) -> None:
    with mail_server(authority, tls=True) as kept:
        assert send(world, kept.port, security="tls", ca_file=trusted) == (1, 0)
    assert len(kept.messages) == 1


def test_a_letter_arrives_without_tls_on_loopback(world: PeopleWorld) -> None:
    with mail_server() as kept:
        assert send(world, kept.port, security="none") == (1, 0)
    assert kept.encrypted == [False]


def test_a_server_that_offers_no_starttls_gets_nothing(world: PeopleWorld, caplog: Any) -> None:
    """Neither does somebody on the way who strips the offer."""
    with mail_server() as kept:
        assert send(world, kept.port) == (0, 1)
    assert kept.messages == []
    assert "does not offer what email.security" in caplog.text


def test_a_certificate_for_another_name_is_refused(
    world: PeopleWorld, authority: trustme.CA, trusted: str, caplog: Any
) -> None:
    with mail_server(authority, name="mail.example.net") as kept:
        assert send(world, kept.port, ca_file=trusted) == (0, 1)
    assert kept.messages == []
    assert "set email.smtp_host to the name in its certificate" in caplog.text


def test_a_certificate_of_nobody_we_trust_is_refused(world: PeopleWorld, relay: Kept) -> None:
    assert send(world, relay.port) == (0, 1)
    assert relay.messages == []


def test_we_authenticate_with_the_password_of_the_file(
    world: PeopleWorld, authority: trustme.CA, trusted: str, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_bytes(PASSWORD + b"\n")
    file.chmod(0o600)
    with mail_server(authority, authenticate=True) as kept:
        assert send(world, kept.port, ca_file=trusted, username=USER.decode(), password_file=str(file)) == (1, 0)


def test_a_wrong_password_is_tried_again_because_the_operator_can_mend_it(
    world: PeopleWorld, authority: trustme.CA, trusted: str, caplog: Any
) -> None:
    with mail_server(authority, authenticate=True) as kept:
        assert send(world, kept.port, ca_file=trusted, username="ostiary", password="wrong-secret") == (0, 1)
    assert "check email.username" in caplog.text
    assert "wrong-secret" not in caplog.text


def test_a_server_that_wants_a_password_that_we_do_not_have_is_tried_again(
    world: PeopleWorld, authority: trustme.CA, trusted: str
) -> None:
    with mail_server(authority, authenticate=True) as kept:
        assert send(world, kept.port, ca_file=trusted) == (0, 1)


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
@pytest.mark.parametrize(("answer", "left"), [("550 no such user", 0), ("451 try later", 1)])
def test_a_refusal_for_good_is_given_up_and_another_is_tried_again(
    world: PeopleWorld, relay: Kept, trusted: str, command: str, answer: str, left: int, caplog: Any
) -> None:
    relay.answers[command] = answer
    _, waiting = send(world, relay.port, ca_file=trusted)
    assert (relay.messages, waiting) == ([], left)
    assert "ada@example.com" not in caplog.text


def test_a_letter_that_was_refused_for_now_arrives_later(world: PeopleWorld, relay: Kept, trusted: str) -> None:
    relay.answers["RCPT"] = "451 greylisted"
    send(world, relay.port, ca_file=trusted)
    relay.answers.clear()
    deliverer = Deliverer(world.storage, {"email": postman.handler(world.server)}, world.clock)
    assert world.run(deliverer.run_once()) == 0
    world.clock.now += 31
    assert world.run(deliverer.run_once()) == 1
    assert len(relay.messages) == 1


def test_nobody_there_is_tried_again(world: PeopleWorld) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert send(world, port) == (0, 1)


def test_a_server_that_says_nothing_holds_nobody_up_for_long(
    world: PeopleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_room, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        accepted: list[Any] = []
        threading.Thread(target=lambda: accepted.append(silent.accept()), daemon=True).start()
        assert send(world, silent.getsockname()[1]) == (0, 1)
