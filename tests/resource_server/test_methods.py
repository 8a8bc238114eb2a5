"""One rule for HEAD and for a browser's preflight (OPTIONS without a credential), in every shell and on a real server.

HEAD is decided as GET is and answered without a body. OPTIONS without a credential is refused like any other request;
where the framework's own CORS layer stands in front of the guard, that layer answers, and marks refusals too.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

import django
import pytest
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import path
from fastapi import FastAPI, Security
from flask import Flask, g
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from ostiary.resource_server import django as django_shell
from ostiary.resource_server.asgi import AsgiGuard
from ostiary.resource_server.flask import FlaskGuard
from ostiary.resource_server.starlette import OstiaryBackend, on_error
from ostiary.resource_server.wsgi import WsgiGuard
from tests.resource_server.serving import served_asgi, served_wsgi
from tests.resource_server.world import World

WELL_KNOWN = "/.well-known/oauth-protected-resource"
ORIGIN = "https://shop.example.com"
METHODS = ["GET", "HEAD", "OPTIONS"]
CORS: dict[str, Any] = {"allow_origins": [ORIGIN], "allow_headers": ["Authorization"]}


async def orders(request: Request) -> PlainTextResponse:
    return PlainTextResponse("seen")


def asgi(world: World, cors: bool) -> AbstractContextManager[str]:
    app: Any = AsgiGuard(Starlette(routes=[Route("/orders", orders, methods=METHODS)]), world.guard())
    return served_asgi(CORSMiddleware(app, **CORS) if cors else app)


def starlette(world: World, cors: bool) -> AbstractContextManager[str]:
    guard = world.guard()
    own = Middleware(AuthenticationMiddleware, backend=OstiaryBackend(guard, anonymous=False), on_error=on_error)
    layers = [Middleware(CORSMiddleware, **CORS), own] if cors else [own]
    routes = [Route("/orders", orders, methods=METHODS)]
    return served_asgi(Starlette(routes=routes, middleware=layers, lifespan=guard.lifespan))


def fastapi(world: World, cors: bool) -> AbstractContextManager[str]:
    guard = world.guard()
    app = FastAPI(lifespan=guard.lifespan)
    if cors:
        app.add_middleware(CORSMiddleware, **CORS)

    needed = Security(guard, scopes=["orders:read"])

    @app.api_route("/orders", methods=METHODS, response_class=PlainTextResponse, dependencies=[needed])
    async def view() -> str:
        return "seen"

    return served_asgi(app)


def wsgi(world: World, cors: bool) -> AbstractContextManager[str]:
    def inner(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"seen"]

    app = WsgiGuard(inner, world.guard())
    return served_wsgi(with_cors(app) if cors else app)


def flask(world: World, cors: bool) -> AbstractContextManager[str]:
    app = Flask(__name__)
    auth = FlaskGuard(world.guard(), app)

    @app.route("/orders", methods=METHODS, provide_automatic_options=False)
    @auth.requires("orders:read")
    def view() -> str:
        return "seen" if g.principal else ""

    return served_wsgi(with_cors(app) if cors else app)


def with_cors(app: Callable[..., Any]) -> Callable[..., Any]:
    """A CORS layer for WSGI, as small as can be."""

    def layer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        allowed = [("Access-Control-Allow-Origin", ORIGIN)]
        if "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
            start_response("200 OK", [*allowed, ("Access-Control-Allow-Headers", "Authorization")])
            return []
        return app(environ, lambda status, headers, *more: start_response(status, [*headers, *allowed], *more))

    return layer


class DjangoCors:
    """A CORS layer for Django, as small as can be."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        preflight = "Access-Control-Request-Method" in request.headers
        response = HttpResponse() if preflight else self._get_response(request)
        response["Access-Control-Allow-Origin"] = ORIGIN
        response["Access-Control-Allow-Headers"] = "Authorization"
        return response


def django_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse("" if request.method == "HEAD" else "seen")


urlpatterns = [path("orders", django_view)]


def django_project(world: World, cors: bool) -> None:
    if not settings.configured:
        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], SECRET_KEY="for this test alone")
        django.setup()
    own = "ostiary.resource_server.django.OstiaryMiddleware"
    settings.MIDDLEWARE = [f"{__name__}.DjangoCors", own] if cors else [own]
    settings.OSTIARY = {
        "issuer": world.issuer.issuer, "audience": world.guard().audience, "traces": world.sink,
        "clock": world.clock, "elapsed": world.clock.elapsed, "environment": {}, "revocation": "until_expiry",
        **world.options,
    }  # fmt: skip
    django_shell.guard.cache_clear()


def django_wsgi(world: World, cors: bool) -> AbstractContextManager[str]:
    django_project(world, cors)
    return served_wsgi(get_wsgi_application())


def django_asgi(world: World, cors: bool) -> AbstractContextManager[str]:
    django_project(world, cors)
    return served_asgi(without_lifespan(get_asgi_application()))


def without_lifespan(app: Any) -> Any:
    async def http_alone(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await app(scope, receive, send)
            return
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})

    return http_alone


SHELLS = [asgi, starlette, fastapi, wsgi, flask, django_wsgi, django_asgi]
Shell = Callable[[World, bool], AbstractContextManager[str]]


@pytest.fixture(params=SHELLS, ids=lambda shell: shell.__name__)
def shell(request: pytest.FixtureRequest) -> Shell:
    chosen: Shell = request.param
    return chosen


@pytest.fixture
def url(shell: Shell, world: World) -> Iterator[str]:
    with shell(world, False) as started:
        yield started


def ask(url: str, method: str, target: str = "/orders", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and every octet after them, whatever the method says about a body."""
    parts = urlsplit(url)
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    pairs = (line.split(": ", 1) for line in rest)
    return int(first.split()[1]), {name.lower(): value for name, value in pairs}, body


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_head_is_admitted_and_refused_as_get_is(url: str, world: World) -> None:
    for credential, expected in (
        (bearer(world.token()), 200),
        (bearer(world.token(aud="https://other.example.com")), 401),
        ({}, 401),
    ):
        got, asked = ask(url, "GET", **credential), ask(url, "HEAD", **credential)
        assert (got[0], asked[0]) == (expected, expected)
        assert asked[2] == b""
        told = ("www-authenticate", "content-type", "cache-control")
        without_trace = [{name: value.split("trace=")[0] for name, value in one[1].items()} for one in (got, asked)]
        assert [without_trace[1].get(name) for name in told] == [without_trace[0].get(name) for name in told]


def test_head_of_the_metadata_is_that_of_get_without_the_body(url: str, world: World) -> None:
    got, asked = ask(url, "GET", WELL_KNOWN), ask(url, "HEAD", WELL_KNOWN)
    assert (got[0], asked[0]) == (200, 200)
    assert got[1]["content-type"] == asked[1]["content-type"] == "application/json"
    document = world.guard().protected_resource_metadata()
    assert document in got[2]
    assert int(asked[1]["content-length"]) == len(document)
    assert asked[2] == b""


def test_options_without_a_credential_passes_no_guard(url: str, world: World) -> None:
    preflight = {"Origin": ORIGIN, "Access_Control_Request_Method": "GET"}
    for headers in ({}, preflight):
        status, told, body = ask(url, "OPTIONS", **headers)
        assert status == 401
        assert told["www-authenticate"].startswith("Bearer ")
        assert b"seen" not in body
    assert ask(url, "OPTIONS", **bearer(world.token()))[0] == 200


def test_the_cors_layer_in_front_answers_a_preflight_and_marks_refusals(shell: Shell, world: World) -> None:
    with shell(world, True) as url:
        preflight = {"Origin": ORIGIN, "Access_Control_Request_Method": "GET"}
        status, told, body = ask(url, "OPTIONS", **preflight, Access_Control_Request_Headers="authorization")
        assert (status, told["access-control-allow-origin"]) == (200, ORIGIN)
        assert "authorization" in told["access-control-allow-headers"].lower()
        assert b"seen" not in body
        for credential, expected in ((bearer(world.token()), 200), ({}, 401)):
            status, told, _ = ask(url, "GET", Origin=ORIGIN, **credential)
            assert (status, told["access-control-allow-origin"]) == (expected, ORIGIN)


def test_the_asgi_guard_sends_no_body_to_head_whatever_the_server_does(world: World) -> None:
    async def call(target: str) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> dict[str, Any]:
            return {}

        async def never(*_: Any) -> None:
            raise AssertionError("reached")

        scope = {"type": "http", "method": "HEAD", "path": target, "headers": [], "query_string": b""}
        await AsgiGuard(never, world.guard())(scope, receive, send)
        return sent

    for target, status in (("/orders", 401), (WELL_KNOWN, 200)):
        start, body = asyncio.run(call(target))
        assert (start["status"], body["body"]) == (status, b"")
        assert int(dict(start["headers"])[b"content-length"]) > 0
