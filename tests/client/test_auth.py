"""ClientAuth with real clients, a real API and a real authorization server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from ostiary.client import ClientAuth, TokenRequestRefused
from ostiary.errors import ConfigurationError
from ostiary.protocol.jwk import SigningKey
from tests.client.conftest import CLIENT_ID, TurnedClock
from tests.client.http_server import Received, Reply, Server
from tests.client.oracle import AuthorizationServer, reply_json

Make = Callable[..., ClientAuth]
RESOURCE_METADATA = "/.well-known/oauth-protected-resource"


def refusing(api: Server, *tokens: str) -> None:
    """Let the API answer 401 to ``tokens``, and to nothing else."""
    refused = {f"Bearer {token}" for token in tokens}
    api.routes["/orders"] = lambda received: Reply(401 if received.headers["authorization"] in refused else 200)


def test_call_carries_a_token_that_the_assertion_earned(
    auth: Make, api: Server, authorization_server: AuthorizationServer
) -> None:
    """standards 4: typ, the issuer as the only aud; joserfc is the judge."""
    with httpx2.Client(auth=auth(scope="orders:read")) as http:
        answer = http.get(f"{api.url}/orders")
    assert answer.text == "Bearer token-1"
    assert authorization_server.problems == []
    form = authorization_server.server.of("/token")[0].form()
    assert form["grant_type"] == ["client_credentials"]
    assert form["resource"] == [api.url]
    assert form["scope"] == ["orders:read"]


async def call_async(auth: ClientAuth, url: str) -> httpx2.Response:
    async with httpx2.AsyncClient(auth=auth) as http:
        return await http.get(url)


@pytest.mark.parametrize("source", ["pem path", "jwk path", "jwk bytes", "key"])
def test_key_is_taken_in_each_form(
    source: str, auth: Make, api: Server, key: SigningKey, tmp_path: Path, authorization_server: AuthorizationServer
) -> None:
    import msgspec
    from cryptography.hazmat.primitives import serialization as s

    private = s.load_der_private_key(key.to_pkcs8(), None)
    pem = private.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    jwk = msgspec.json.encode(key.private_jwk())
    paths = {"pem path": tmp_path / "k.pem", "jwk path": tmp_path / "k"}
    forms: dict[str, object] = {"jwk bytes": jwk, "key": key, **paths}
    for path, content in ((tmp_path / "k.pem", pem), (tmp_path / "k", jwk)):
        path.write_bytes(content)
        path.chmod(0o600)
    with httpx2.Client(auth=auth(key=forms[source])) as http:
        assert http.get(f"{api.url}/orders").status_code == 200
    assert authorization_server.problems == []


def test_credential_file_alone_is_enough_where_the_api_says_who_it_is(
    client_file: Path, api: Server, authorization_server: AuthorizationServer, clock: TurnedClock
) -> None:
    metadata = {"resource": api.url, "authorization_servers": [authorization_server.issuer]}
    api.routes[RESOURCE_METADATA] = lambda _: reply_json(metadata)
    with httpx2.Client(auth=ClientAuth.from_file(client_file, clock=clock)) as http:
        assert http.get(f"{api.url}/orders").text == "Bearer token-1"
    assert authorization_server.server.of("/token")[0].form()["resource"] == [api.url]


def test_credential_file_is_found_by_the_environment(
    client_file: Path, monkeypatch: pytest.MonkeyPatch, api: Server, clock: TurnedClock
) -> None:
    monkeypatch.setenv("OSTIARY_CLIENT_FILE", str(client_file))
    with httpx2.Client(auth=ClientAuth.from_file(resource=api.url, clock=clock)) as http:
        assert http.get(f"{api.url}/orders").status_code == 200


def test_no_credential_file_is_one_sentence_that_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OSTIARY_CLIENT_FILE", raising=False)
    with pytest.raises(ConfigurationError, match="OSTIARY_CLIENT_FILE"):
        ClientAuth.from_file(resource="https://orders.example.com")


def test_token_is_kept_for_the_next_call(auth: Make, api: Server, authorization_server: AuthorizationServer) -> None:
    own = auth()
    for _ in range(3):
        with httpx2.Client(auth=own) as http:
            http.get(f"{api.url}/orders")
    assert authorization_server.token_requests == 1


def test_blocking_call_sends_a_fresh_token_once_after_a_401(
    auth: Make, api: Server, authorization_server: AuthorizationServer
) -> None:
    refusing(api, "token-1")
    with httpx2.Client(auth=auth()) as http:
        assert http.post(f"{api.url}/orders", content=b"order").status_code == 200
    assert [received.body for received in api.received] == [b"order", b"order"]
    assert authorization_server.token_requests == 2
    assert len({claims["jti"] for claims in authorization_server.claims}) == 2


async def asynchronous_401(auth: ClientAuth, api: Server) -> int:
    return (await call_async(auth, f"{api.url}/orders")).status_code


def test_asynchronous_call_sends_a_fresh_token_once_after_a_401(auth: Make, api: Server) -> None:
    import asyncio

    refusing(api, "token-1")
    assert asyncio.run(asynchronous_401(auth(), api)) == 200
    assert len(api.received) == 2


def test_second_401_is_the_answer(auth: Make, api: Server, authorization_server: AuthorizationServer) -> None:
    refusing(api, "token-1", "token-2", "token-3")
    own = auth()
    with httpx2.Client(auth=own) as http:
        assert http.get(f"{api.url}/orders").status_code == 401
        assert (len(api.received), authorization_server.token_requests) == (2, 2)
        # An API that refuses even new tokens does not make every call ask for one.
        assert http.get(f"{api.url}/orders").status_code == 401
    assert (len(api.received), authorization_server.token_requests) == (3, 2)


def test_asynchronous_second_401_is_the_answer(
    auth: Make, api: Server, authorization_server: AuthorizationServer
) -> None:
    import asyncio

    refusing(api, "token-1", "token-2", "token-3")
    assert asyncio.run(asynchronous_401(auth(), api)) == 401
    assert (len(api.received), authorization_server.token_requests) == (2, 2)


def test_fresh_tokens_are_asked_for_again_after_ten_seconds(auth: Make, api: Server, clock: TurnedClock) -> None:
    refusing(api, "token-1", "token-2")
    with httpx2.Client(auth=auth()) as http:
        http.get(f"{api.url}/orders")
        clock.now += 11
        assert http.get(f"{api.url}/orders").status_code == 200


def test_body_that_is_gone_is_not_sent_twice(
    auth: Make, api: Server, authorization_server: AuthorizationServer
) -> None:
    def once() -> Iterator[bytes]:
        yield b"order"

    refusing(api, "token-1")
    with httpx2.Client(auth=auth()) as http:
        answer = http.post(f"{api.url}/orders", content=once(), headers={"Content-Length": "5"})
    assert answer.status_code == 401
    assert (len(api.received), authorization_server.token_requests) == (1, 1)


def test_403_asks_for_no_other_token(auth: Make, api: Server, authorization_server: AuthorizationServer) -> None:
    api.routes["/orders"] = lambda _: Reply(403)
    with httpx2.Client(auth=auth()) as http:
        assert http.get(f"{api.url}/orders").status_code == 403
    assert authorization_server.token_requests == 1


def test_refusal_is_typed_and_names_code_and_trace(
    auth: Make, api: Server, authorization_server: AuthorizationServer
) -> None:
    refusal = {"error": "invalid_scope", "error_description": "not granted", "trace": "tr_abc"}
    authorization_server.answer = lambda: reply_json(refusal, 400)
    with httpx2.Client(auth=auth()) as http, pytest.raises(TokenRequestRefused) as caught:
        http.get(f"{api.url}/orders")
    error = caught.value
    assert (error.code, error.description, error.trace) == ("invalid_scope", "not granted", "tr_abc")
    assert "tr_abc" in str(caught.value)
    assert api.received == []


def test_token_is_not_sent_to_another_origin(auth: Make, api: Server) -> None:
    with Server() as other, httpx2.Client(auth=auth()) as http:
        with pytest.raises(ConfigurationError, match="is not sent to"):
            http.get(f"{other.url}/orders")
        assert other.received == []


def test_origin_differs_by_port_and_by_scheme(auth: Make) -> None:
    own = auth(resource="https://orders.example.com")
    for url in (
        "https://orders.example.com:444/",
        "http://orders.example.com/",
        "https://orders.example.com.evil.net/",
    ):
        with httpx2.Client(auth=own) as http, pytest.raises(ConfigurationError, match="is not sent to"):
            http.get(url)


def test_token_does_not_follow_a_redirect_to_another_origin(auth: Make, api: Server) -> None:
    with Server() as other:
        other.routes["/orders"] = lambda _: Reply(401)
        api.routes["/orders"] = lambda _: Reply(302, b"", {"Location": f"{other.url}/orders"})
        with httpx2.Client(auth=auth(), follow_redirects=True) as http:
            http.get(f"{api.url}/orders")
        assert other.received != []
        assert all("authorization" not in received.headers for received in other.received)


def test_named_origin_may_differ_from_the_identifier(auth: Make, api: Server) -> None:
    own = auth(resource="https://orders.example.com", origins=[api.url])
    with httpx2.Client(auth=own) as http:
        assert http.get(f"{api.url}/orders").status_code == 200


def test_identifier_that_is_no_url_needs_an_origin(auth: Make) -> None:
    with pytest.raises(ConfigurationError, match="origins="):
        auth(resource="urn:example:orders")


def test_origins_as_one_text_is_refused(auth: Make) -> None:
    with pytest.raises(ConfigurationError, match="a list"):
        auth(origins="https://orders.example.com")


def test_token_does_not_travel_in_the_clear(auth: Make) -> None:
    with httpx2.Client(auth=auth(resource=None)) as http, pytest.raises(ConfigurationError, match="use https"):
        http.get("http://orders.example.com/orders")


def test_nothing_shows_key_or_token(auth: Make, api: Server, key: SigningKey) -> None:
    own = auth()
    with httpx2.Client(auth=own) as http:
        http.get(f"{api.url}/orders")
    shown = repr(own) + repr(vars(own))
    assert "token-1" not in shown
    assert key.private_jwk()["d"] not in shown
    assert CLIENT_ID in repr(own)


def test_received_request_is_the_callers_own(auth: Make, api: Server) -> None:
    seen: list[Received] = api.received
    with httpx2.Client(auth=auth(), headers={"X-Own": "1"}) as http:
        http.put(f"{api.url}/orders?page=2", content=b"x")
    assert (seen[0].method, seen[0].path, seen[0].headers["x-own"]) == ("PUT", "/orders?page=2", "1")
