"""A redirect takes no credential along to another origin: two real servers, the first of which sends callers on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import httpx2
import pytest

from ostiary.client import ClientAuth, ClientRequestAuth
from ostiary.protocol.jwk import SigningKey
from tests.client.conftest import CLIENT_ID, TurnedClock
from tests.client.http_server import Reply, Server
from tests.client.oracle import AuthorizationServer

AUDIENCE = "https://orders.example.com"
DIRECT = "ostiary-client-jwt"


@pytest.fixture
def elsewhere() -> Iterator[Server]:
    with Server() as server:
        server.routes["/orders"] = lambda _: Reply(200)
        yield server


@pytest.fixture(params=[301, 302, 303, 307, 308])
def redirecting(request: pytest.FixtureRequest, api: Server, elsewhere: Server) -> Server:
    """The API, which sends callers on to another origin."""
    api.routes["/orders"] = lambda _: Reply(request.param, headers={"Location": f"{elsewhere.url}/orders"})
    return api


def direct_auth(key: SigningKey, *origins: str) -> ClientRequestAuth:
    return ClientRequestAuth(client_id=CLIENT_ID, key=key, audience=AUDIENCE, origins=origins)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_direct_jwt_does_not_follow_a_redirect_to_another_origin(
    redirecting: Server, elsewhere: Server, key: SigningKey, method: str
) -> None:
    with httpx2.Client(auth=direct_auth(key, redirecting.url), follow_redirects=True) as http:
        answer = http.request(method, f"{redirecting.url}/orders")
    assert (answer.status_code, len(elsewhere.received)) == (200, 1)
    assert DIRECT in redirecting.received[0].headers
    assert DIRECT not in elsewhere.received[0].headers


def test_nor_that_of_an_asynchronous_client(redirecting: Server, elsewhere: Server, key: SigningKey) -> None:
    async def call() -> None:
        async with httpx2.AsyncClient(auth=direct_auth(key, redirecting.url), follow_redirects=True) as http:
            await http.get(f"{redirecting.url}/orders")

    asyncio.run(call())
    assert DIRECT in redirecting.received[0].headers
    assert DIRECT not in elsewhere.received[0].headers


def test_nor_one_that_the_caller_follows_by_hand(redirecting: Server, elsewhere: Server, key: SigningKey) -> None:
    with httpx2.Client(auth=direct_auth(key, redirecting.url)) as http:
        following = http.get(f"{redirecting.url}/orders").next_request
        assert following is not None
        http.send(following, auth=None)
    assert DIRECT not in elsewhere.received[0].headers


def test_a_direct_jwt_takes_the_place_of_a_header_of_its_name(api: Server, key: SigningKey) -> None:
    api.routes["/orders"] = lambda _: Reply(200)
    with httpx2.Client(auth=direct_auth(key, api.url)) as http:
        sent = http.get(f"{api.url}/orders", headers={"Ostiary-Client-JWT": "theirs"}).request
    assert api.received[0].headers[DIRECT].count(".") == 2
    assert sent.headers["Ostiary-Client-JWT"] == api.received[0].headers[DIRECT]
    assert api.received[0].headers[DIRECT] not in repr(sent.headers)


def test_a_bearer_token_does_not_follow_a_redirect_to_another_origin(
    redirecting: Server, elsewhere: Server, auth: Callable[..., ClientAuth]
) -> None:
    with httpx2.Client(auth=auth(), follow_redirects=True) as http:
        http.get(f"{redirecting.url}/orders")
    assert "authorization" in redirecting.received[0].headers
    assert "authorization" not in elsewhere.received[0].headers


def test_a_401_of_another_origin_costs_no_new_token(
    redirecting: Server, elsewhere: Server, auth: Callable[..., ClientAuth], authorization_server: AuthorizationServer
) -> None:
    elsewhere.routes["/orders"] = lambda _: Reply(401)
    with httpx2.Client(auth=auth(), follow_redirects=True) as http:
        assert http.get(f"{redirecting.url}/orders").status_code == 401
    assert authorization_server.token_requests == 1


class At(httpx2.HTTPTransport):
    """Reaches a server of the test under a name with the scheme's own port, as no test can open one."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._url = httpx2.URL(server.url)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url.copy_with(scheme="http", host=self._url.host, port=self._url.port)
        sent = httpx2.Request(request.method, url, headers=request.headers.raw, stream=request.stream)
        return super().handle_request(sent)


def test_a_bearer_token_for_http_does_not_follow_to_https_of_the_same_host(
    api: Server, elsewhere: Server, auth: Callable[..., ClientAuth], clock: TurnedClock
) -> None:
    api.routes["/orders"] = lambda _: Reply(308, headers={"Location": "https://orders.internal/orders"})
    own = auth(resource="http://orders.internal")
    mounts = {"http://": At(api), "https://": At(elsewhere)}
    with httpx2.Client(auth=own, follow_redirects=True, mounts=mounts) as http:
        assert http.get("http://orders.internal/orders").status_code == 200
    assert "authorization" in api.received[0].headers
    assert "authorization" not in elsewhere.received[0].headers
