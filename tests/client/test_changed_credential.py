"""A credential file that changes under a running client: the new key is taken, and nothing else is."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from ostiary.client import ClientAuth, ClientRequestAuth, TokenRequestRefused
from ostiary.protocol import credential, jws
from ostiary.protocol.credential import Credential
from ostiary.protocol.jwk import SigningKey
from tests.client.conftest import CLIENT_ID, TurnedClock
from tests.client.http_server import Reply, Server
from tests.client.oracle import AuthorizationServer, reply_json

Call = Callable[[], httpx2.Response]


@pytest.fixture
def call(client_file: Path, api: Server, clock: TurnedClock) -> Call:
    """A call to the API by one authentication that lasts; each one needs a new token."""
    auth = ClientAuth.from_file(client_file, resource=api.url, clock=clock)

    def once() -> httpx2.Response:
        clock.now += 3600
        with httpx2.Client(auth=auth) as http:
            return http.get(f"{api.url}/orders")

    return once


def replace(file: Path, issuer: str, key: SigningKey, client_id: str = CLIENT_ID) -> None:
    """Put the credential into the place of the file, by a rename."""
    new = file.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_bytes(Credential(credential.CLIENT, issuer, client_id, key).to_json())
    new.rename(file)


def test_the_next_token_request_is_signed_by_the_new_key(
    call: Call, client_file: Path, authorization_server: AuthorizationServer
) -> None:
    assert call().status_code == 200
    key = SigningKey.generate("ES256")
    replace(client_file, authorization_server.issuer, key)
    authorization_server.register(key.verification_key.public_jwk())
    assert call().status_code == 200
    assert authorization_server.token_requests == 2  # no try with the old key


def test_a_file_that_changes_while_the_server_is_asked_is_read_again_at_once(
    call: Call, client_file: Path, authorization_server: AuthorizationServer
) -> None:
    assert call().status_code == 200
    key = SigningKey.generate("ES256")

    def changing() -> None:
        authorization_server.before_answer = lambda: None
        replace(client_file, authorization_server.issuer, key)
        authorization_server.register(key.verification_key.public_jwk())

    authorization_server.before_answer = changing
    assert call().status_code == 200
    assert authorization_server.token_requests == 3


def test_a_rewritten_file_that_looks_the_same_is_read_when_the_key_is_refused(
    call: Call, client_file: Path, authorization_server: AuthorizationServer
) -> None:
    assert call().status_code == 200
    key = SigningKey.generate("ES256")
    before = client_file.stat()
    client_file.write_bytes(Credential(credential.CLIENT, authorization_server.issuer, CLIENT_ID, key).to_json())
    os.utime(client_file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert client_file.stat().st_size == before.st_size
    authorization_server.register(key.verification_key.public_jwk())
    assert call().status_code == 200


def test_an_unchanged_file_is_not_tried_twice(call: Call, authorization_server: AuthorizationServer) -> None:
    authorization_server.register(SigningKey.generate("ES256").verification_key.public_jwk())
    authorization_server.answer = lambda: reply_json({"error": "invalid_client"}, 401)
    with pytest.raises(TokenRequestRefused):
        call()
    assert authorization_server.token_requests == 1


def test_another_refusal_is_no_matter_of_the_key(
    call: Call, client_file: Path, authorization_server: AuthorizationServer
) -> None:
    def refused() -> Reply:
        replace(client_file, authorization_server.issuer, SigningKey.generate("ES256"))
        return reply_json({"error": "invalid_scope"}, 400)

    authorization_server.answer = refused
    with pytest.raises(TokenRequestRefused, match="invalid_scope"):
        call()
    assert authorization_server.token_requests == 1


@pytest.mark.parametrize("fault", ["open to others", "gone", "half written", "another client", "another issuer"])
def test_a_file_that_cannot_be_used_is_left_aside_with_a_warning(
    call: Call,
    client_file: Path,
    authorization_server: AuthorizationServer,
    fault: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert call().status_code == 200
    key, issuer = SigningKey.generate("ES256"), authorization_server.issuer
    replace(client_file, issuer, key)
    match fault:
        case "open to others":
            client_file.chmod(0o644)
        case "gone":
            client_file.unlink()
        case "half written":
            client_file.write_bytes(client_file.read_bytes()[:50])
        case "another client":
            replace(client_file, issuer, key, client_id="other-client")
        case "another issuer":
            replace(client_file, "https://other.example.com", key)
    with caplog.at_level(logging.WARNING, "ostiary.client"):
        assert call().status_code == 200  # by the key of before, which is still good
    assert "left aside" in caplog.text
    assert str(key.private_jwk()["d"]) not in caplog.text
    if fault == "open to others":
        client_file.chmod(0o600)
    else:
        replace(client_file, issuer, key)
    authorization_server.register(key.verification_key.public_jwk())
    assert call().status_code == 200
    assert authorization_server.token_requests == 3  # none with the key of before


def test_each_direct_jwt_is_signed_by_the_key_of_the_moment(
    client_file: Path, api: Server, authorization_server: AuthorizationServer
) -> None:
    auth = ClientRequestAuth.from_file(client_file, audience="https://orders.example.com", origins=[api.url])
    key = SigningKey.generate("ES256")
    with httpx2.Client(auth=auth) as http:
        http.get(f"{api.url}/orders")
        replace(client_file, authorization_server.issuer, key)
        http.get(f"{api.url}/orders")
    kids = [jws.parse(received.headers["ostiary-client-jwt"]).header.kid for received in api.received]
    assert kids[1] == key.kid != kids[0]
