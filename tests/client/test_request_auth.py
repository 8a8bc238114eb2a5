"""ClientRequestAuth: a JWT of the client's own for each request, read by joserfc and by the protocol's own verifier."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx2
import pytest
from joserfc import jws as oracle
from joserfc.jwk import ECKey, KeySet

from ostiary.client import ClientRequestAuth, ConfigurationError
from ostiary.errors import VerificationError
from ostiary.protocol import client_assertion, client_request_jwt, jws
from ostiary.protocol.jwk import SigningKey
from tests.client.conftest import CLIENT_ID, TurnedClock
from tests.client.http_server import Reply, Server

AUDIENCE = "https://orders.example.com"


@pytest.fixture
def direct(api: Server, key: SigningKey, clock: TurnedClock) -> ClientRequestAuth:
    api.routes["/orders"] = lambda _: Reply(200)
    return ClientRequestAuth(client_id=CLIENT_ID, key=key, audience=AUDIENCE, origins=[api.url], clock=clock)


def test_each_request_carries_a_jwt_of_its_own(
    direct: ClientRequestAuth, api: Server, key: SigningKey, clock: TurnedClock
) -> None:
    """standards 8"""
    with httpx2.Client(auth=direct) as http:
        http.get(f"{api.url}/orders?page=1")
        http.post(f"{api.url}/orders")
    tokens = [received.headers["ostiary-client-jwt"] for received in api.received]
    keys = KeySet([ECKey.import_key(dict(key.verification_key.public_jwk()))])
    parsed = [oracle.deserialize_compact(token, keys, algorithms=["ES256"]) for token in tokens]
    claims = [json.loads(token.payload or b"") for token in parsed]
    assert all("authorization" not in received.headers for received in api.received)
    assert [token.headers()["typ"] for token in parsed] == ["ostiary-request+jwt"] * 2
    assert [(c["iss"], c["sub"], c["aud"]) for c in claims] == [(CLIENT_ID, CLIENT_ID, AUDIENCE)] * 2
    assert [(c["htm"], c["htu"]) for c in claims] == [("GET", f"{api.url}/orders"), ("POST", f"{api.url}/orders")]
    assert all(0 < c["exp"] - clock.now <= 60 for c in claims)
    assert claims[0]["jti"] != claims[1]["jti"]


def test_asynchronous_client_signs_too(direct: ClientRequestAuth, api: Server) -> None:
    async def call() -> None:
        async with httpx2.AsyncClient(auth=direct) as http:
            await http.get(f"{api.url}/orders")

    asyncio.run(call())
    assert "ostiary-client-jwt" in api.received[0].headers


def test_direct_jwt_is_no_client_assertion(
    direct: ClientRequestAuth, api: Server, key: SigningKey, clock: TurnedClock
) -> None:
    """standards 8: what is meant for an API fails at an authorization server, even one of the same name."""
    with httpx2.Client(auth=direct) as http:
        http.get(f"{api.url}/orders")
    token = jws.parse(api.received[0].headers["ostiary-client-jwt"])
    own = key.verification_key
    with pytest.raises(VerificationError) as caught:
        client_assertion.verify(token, own, client_id=CLIENT_ID, issuer=AUDIENCE, now=clock.now)
    assert caught.value.check == "type"
    url = f"{api.url}/orders"
    client_request_jwt.verify(token, own, client_id=CLIENT_ID, audience=AUDIENCE, method="GET", url=url, now=clock.now)


def test_header_may_have_another_name(api: Server, key: SigningKey) -> None:
    own = ClientRequestAuth(client_id=CLIENT_ID, key=key, audience=AUDIENCE, origins=[api.url], header="X-Signed")
    with httpx2.Client(auth=own) as http:
        http.get(f"{api.url}/orders")
    assert "x-signed" in api.received[0].headers


@pytest.mark.parametrize("header", ["Authorization", "authorization", "Cookie", "Host", "", "A: b", "A\r\nB", "Ä"])
def test_header_that_is_anothers_is_refused(header: str, key: SigningKey) -> None:
    with pytest.raises(ConfigurationError, match="header"):
        ClientRequestAuth(client_id=CLIENT_ID, key=key, audience=AUDIENCE, header=header)


def test_request_to_another_origin_is_not_signed(direct: ClientRequestAuth) -> None:
    with Server() as other, httpx2.Client(auth=direct) as http:
        with pytest.raises(ConfigurationError, match="is not sent to"):
            http.get(f"{other.url}/orders")
        assert other.received == []


def test_credential_file_gives_client_and_key(client_file: Path, api: Server) -> None:
    own = ClientRequestAuth.from_file(client_file, audience=AUDIENCE, origins=[api.url])
    with httpx2.Client(auth=own) as http:
        http.get(f"{api.url}/orders")
    token = jws.parse(api.received[0].headers["ostiary-client-jwt"])
    assert client_request_jwt.unverified_client_id(token) == CLIENT_ID
    assert CLIENT_ID in repr(own)
