"""The raw ASGI adapter: caps, methods, content types, and that nothing comes out of it but an answer."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ostiary.authorization_server.asgi import routes
from tests.authorization_server.world import ISSUER, World, scope

FORM = "application/x-www-form-urlencoded"
OPENID = "/.well-known/openid-configuration"
ENDPOINTS = ["/token", "/introspect", "/revoke", "/client-keys", "/client-keys/next"]


def exchange(world: World, headers: dict[str, str], *messages: Any, method: str = "POST") -> list[Any]:
    """Serve one request of these messages; what was sent, and how many messages were left unread."""
    waiting, sent = list(messages), []

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    world.run(_serve(world, scope(method, "/token", headers), receive, send))
    return [*sent, len(waiting)]


async def _serve(world: World, *call: Any) -> None:
    await world.app(*call)


def part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize("length", ["65537", "99999999999999999999", "-1", "x", "1 "])
def test_a_declared_size_beyond_the_cap_is_refused_before_reading(world: World, length: str) -> None:
    start, _, left = exchange(world, {"content-type": FORM, "content-length": length}, part(b"", more=False))
    assert (start["status"], left) == (413, 1)


def test_an_undeclared_size_is_refused_as_soon_as_it_passes_the_cap(world: World) -> None:
    parts = [part(b"a" * 40_000, more=True) for _ in range(5)]
    start, _, left = exchange(world, {"content-type": FORM}, *parts)
    assert (start["status"], left) == (413, 3)


def test_a_body_in_parts_is_read_whole(world: World) -> None:
    body = urlencode(world.token_form()).encode()
    parts = [part(body[:10], more=True), part(body[10:500], more=True), part(body[500:], more=False)]
    assert exchange(world, {"content-type": FORM}, *parts)[0]["status"] == 200


def test_a_caller_that_hangs_up_is_not_answered(world: World) -> None:
    assert exchange(world, {"content-type": FORM}, part(b"a", more=True), {"type": "http.disconnect"}) == [0]


@pytest.mark.parametrize("content_type", [FORM, f"{FORM};charset=UTF-8", FORM.upper()])
def test_forms_are_taken(world: World, content_type: str) -> None:
    assert world.post("/token", world.token_form(), content_type=content_type).status == 200


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", "", "text/plain"])
def test_another_content_type_is_refused(world: World, path: str, content_type: str) -> None:
    answer = world.post(path, world.token_form(token="x"), content_type=content_type)
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")
    assert world.trace(answer).checks[-1].name == "form"


@pytest.mark.parametrize("name", ["content-type", "authorization", "host"])
def test_a_header_that_must_be_single_is_refused_twice(world: World, name: str) -> None:
    request = scope("POST", "/token", {"content-type": FORM})
    request["headers"] += [(name.encode(), b"x"), (name.encode(), b"y")]
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return part(b"", more=False)

    world.run(_serve(world, request, receive, send))
    assert sent[0]["status"] == 400


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/token", "POST"),
        ("/introspect", "POST"),
        ("/jwks", "GET, HEAD"),
        ("/.well-known/openid-configuration", "GET, HEAD"),
    ],
)
def test_another_method_is_refused_with_those_allowed(world: World, path: str, allowed: str) -> None:
    method = "GET" if allowed == "POST" else "POST"
    for wrong in (method, "PUT", "DELETE", "OPTIONS", "get", "TRACE"):
        answer = world.run(world.call(wrong, path, b"", {}))
        assert (answer.status, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/", "", "/tokens", "/token/", "//token", "/Token", "/../token", "/.well-known/"])
def test_an_unknown_path_is_not_found(world: World, path: str) -> None:
    assert world.get(path).status == 404


def test_answers_are_never_stored(world: World) -> None:
    """RFC 6749 5.1."""
    for answer in (world.token(), world.token(scope="no:such"), world.post("/token", {})):
        assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")


def test_every_route_stands_below_the_issuer() -> None:
    found = routes(ISSUER + "/a")
    # What the CA publishes stands also below its public_url, which need not be the issuer.
    assert all(path.startswith(("/a/", "/.well-known/", "/ca/")) for path in found)
    assert {f"/a{path}" for path in found if path.startswith("/ca/")} <= found.keys()


def test_the_lifespan_is_answered(world: World) -> None:
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    world.run(_serve(world, {"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


NAMES = st.sampled_from(
    ["grant_type", "client_assertion", "client_assertion_type", "client_id", "scope", "resource", "token", "next_key"]
)
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
VALUES = st.one_of(st.text(max_size=60), st.sampled_from(["client_credentials", ASSERTION_TYPE, "a.b.c", "e30.e30.AA"]))
BODIES = st.one_of(st.binary(max_size=400), st.dictionaries(NAMES, VALUES).map(lambda form: urlencode(form).encode()))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(path=st.sampled_from(ENDPOINTS), body=BODIES)
@example(
    "/token", b"client_assertion_type=" + ASSERTION_TYPE.encode() + b"&client_assertion=eyJhbGciOiJFUzI1NiJ9.W10.AA"
)
def test_any_bytes_get_an_oauth_error(world: World, path: str, body: bytes) -> None:
    """Nothing that is sent makes a 500."""
    answer = world.post(path, body)
    assert answer.status in (400, 401)
    assert answer.json.keys() == {"error", "error_description", "trace"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(parameters=st.dictionaries(NAMES, VALUES))
def test_any_parameters_of_a_proven_client_get_an_answer(world: World, parameters: dict[str, str]) -> None:
    for path in ENDPOINTS:
        client = "api_orders" if path in ("/introspect", "/client-keys") else "shop"
        answer = world.post(path, parameters | world.form(client, client_id=None) | {"client_id": client})
        assert answer.status in (200, 400, 403), answer.body


def test_requests_of_many_callers_do_not_mix(world: World) -> None:
    async def many() -> list[str]:
        forms = [world.token_form("shop" if number % 2 else "other") for number in range(40)]
        headers = {"content-type": FORM}
        calls = (world.call("POST", "/token", urlencode(form).encode(), headers) for form in forms)
        return [answer.json["scope"] for answer in await asyncio.gather(*calls)]

    scopes = world.run(many())
    assert scopes == ["bills:read", "orders:read orders:write"] * 20
