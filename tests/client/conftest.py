"""A client, its authorization server and an API, each real HTTP on loopback, under one clock that tests turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ostiary.client import Application, ClientAuth
from ostiary.protocol import credential
from ostiary.protocol.credential import Credential
from ostiary.protocol.jwk import SigningKey
from tests.client.http_server import Received, Reply, Server
from tests.client.openid_provider import OpenIdProvider
from tests.client.oracle import AuthorizationServer

CLIENT_ID = "orders-client"


class TurnedClock:
    """Seconds since the epoch, as the test says."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def key() -> SigningKey:
    return SigningKey.generate("ES256")


@pytest.fixture
def authorization_server(key: SigningKey, clock: TurnedClock) -> Iterator[AuthorizationServer]:
    with Server() as server:
        yield AuthorizationServer(server, CLIENT_ID, key.verification_key.public_jwk(), clock)


@pytest.fixture
def api() -> Iterator[Server]:
    """An API that admits everybody who brings a token and says which at ``/orders``."""

    def orders(received: Received) -> Reply:
        sent = received.headers.get("authorization", "")
        return Reply(200, sent.encode()) if sent else Reply(401)

    with Server() as server:
        server.routes["/orders"] = orders
        yield server


@pytest.fixture
def auth(
    authorization_server: AuthorizationServer, api: Server, key: SigningKey, clock: TurnedClock
) -> Callable[..., ClientAuth]:
    """Makes the client's authentication for the API; further arguments go to ClientAuth."""

    def make(**further: object) -> ClientAuth:
        arguments: dict[str, object] = {
            "issuer": authorization_server.issuer,
            "client_id": CLIENT_ID,
            "key": key,
            "resource": api.url,
            "clock": clock,
        }
        return ClientAuth(**(arguments | further))  # type: ignore[arg-type]

    return make


@pytest.fixture
def client_file(tmp_path: Path, authorization_server: AuthorizationServer, key: SigningKey) -> Path:
    """The client's credential file, closed to others."""
    path = tmp_path / "orders-client.json"
    path.write_bytes(Credential(credential.CLIENT, authorization_server.issuer, CLIENT_ID, key).to_json())
    path.chmod(0o600)
    return path


@pytest.fixture
def provider(clock: TurnedClock) -> Iterator[OpenIdProvider]:
    """An OpenID Provider whose answers a test bends."""
    with Server() as server:
        yield OpenIdProvider(server, clock)


@pytest.fixture
def application(provider: OpenIdProvider, clock: TurnedClock) -> Application:
    """The public application ``app``."""
    callback = "https://app.example.com/callback"
    return Application(issuer=provider.issuer, client_id="app", redirect_uri=callback, clock=clock)
