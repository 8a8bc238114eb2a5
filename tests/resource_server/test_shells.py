"""The shells that the samples do not use: ASGI and WSGI middleware, Starlette's backend, FastAPI beyond the example."""

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Security
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from ostiary.resource_server import Principal
from ostiary.resource_server.asgi import AsgiGuard
from ostiary.resource_server.fastapi import RefusedRequest
from ostiary.resource_server.starlette import OstiaryBackend, on_error
from ostiary.resource_server.wsgi import WsgiGuard
from tests.resource_server.serving import get, served_asgi, served_wsgi
from tests.resource_server.world import AUDIENCE, DIRECT, World

WELL_KNOWN = "/.well-known/oauth-protected-resource"


async def who(request: Request) -> JSONResponse:
    return JSONResponse({"client": request.state.principal.client_id})


async def healthz(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


def test_asgi_middleware_guards_any_application(world: World) -> None:
    inner = Starlette(routes=[Route("/orders", who), Route("/healthz", healthz)])
    app = AsgiGuard(inner, world.guard(), scopes=["orders:read"], public=["/healthz"])
    with served_asgi(app) as url:
        assert get(f"{url}/orders", world.token()).json() == {"client": "orders-client"}
        assert get(f"{url}/healthz").text == "ok"
        assert get(f"{url}{WELL_KNOWN}").json()["resource"] == AUDIENCE
        refused = get(f"{url}/orders")
        assert (refused.status_code, refused.headers["content-type"]) == (401, "application/json")
        assert 'scope="orders:read"' in refused.headers["WWW-Authenticate"]
        assert get(f"{url}/orders", world.token(scope="other")).status_code == 403
        assert get(f"{url}/healthz/../orders").status_code == 401
        assert get(f"{url}/orders?access_token={world.token()}").status_code == 400


def test_asgi_middleware_refuses_a_websocket_before_it_opens(world: World) -> None:
    async def never(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("reached")

    async def connect(extensions: dict[str, Any]) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "websocket", "path": "/ws", "headers": [], "query_string": b"", "extensions": extensions}
        await AsgiGuard(never, world.guard())(scope, receive, send)
        return sent

    closed = asyncio.run(connect({}))
    assert [(message["type"], message.get("code")) for message in closed] == [("websocket.close", 1008)]
    answered = asyncio.run(connect({"websocket.http.response": {}}))
    assert answered[0]["type"] == "websocket.http.response.start"
    assert answered[0]["status"] == 401


def test_asgi_middleware_lets_no_unknown_kind_of_connection_pass(world: World) -> None:
    async def never(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("reached")

    async def connect() -> None:
        async def silent(*_: Any) -> Any:
            return {}

        await AsgiGuard(never, world.guard())({"type": "webtransport", "path": "/", "headers": []}, silent, silent)

    with pytest.raises(RuntimeError, match="webtransport"):
        asyncio.run(connect())


def test_wsgi_middleware_guards_any_application(world: World) -> None:
    def inner(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        caller = environ.get("ostiary.principal")
        return [(caller.client_id if caller else "nobody").encode()]

    app = WsgiGuard(inner, world.guard(), scopes=["orders:read"], public=["/healthz"])
    with served_wsgi(app) as url:
        assert get(f"{url}/orders", world.token()).text == "orders-client"
        assert get(f"{url}/healthz").text == "nobody"
        assert get(f"{url}/healthz", ostiary="x", **{"ostiary.principal": "x"}).text == "nobody"
        assert get(f"{url}{WELL_KNOWN}").json()["resource"] == AUDIENCE
        assert get(f"{url}/orders").status_code == 401
        assert get(f"{url}/orders", world.token(scope="other")).status_code == 403


def test_wsgi_takes_a_client_jwt_for_a_path_with_escapes(world: World) -> None:
    def inner(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"in"]

    key = world.client_key()
    with served_wsgi(WsgiGuard(inner, world.guard(direct=True))) as url:
        token = world.direct(key, htu=f"{AUDIENCE}/orders/caf%C3%A9%20au%20lait")
        assert get(f"{url}/orders/caf%C3%A9%20au%20lait?x=1", **{DIRECT: token}).text == "in"


def test_starlette_backend_speaks_the_words_of_the_framework(world: World) -> None:
    @requires("orders:read")
    async def orders(request: Request) -> JSONResponse:
        return JSONResponse({"user": request.user.display_name, "scopes": request.auth.scopes})

    async def anyone(request: Request) -> JSONResponse:
        return JSONResponse({"authenticated": request.user.is_authenticated})

    guard = world.guard()
    app = Starlette(
        routes=[Route("/orders", orders), Route("/anyone", anyone)],
        middleware=[Middleware(AuthenticationMiddleware, backend=OstiaryBackend(guard), on_error=on_error)],
        lifespan=guard.lifespan,
    )
    with served_asgi(app) as url:
        assert get(f"{url}/orders", world.token()).json() == {
            "user": "orders-client",
            "scopes": ["authenticated", "orders:read"],
        }
        assert get(f"{url}/anyone").json() == {"authenticated": False}
        assert get(f"{url}/orders").status_code == 403
        refused = get(f"{url}/anyone", world.token(exp=1))
        assert (refused.status_code, refused.json()["error_description"]) == (401, "expired")
        assert refused.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
        assert get(f"{url}/anyone?access_token=x").status_code == 400


@pytest.fixture
def orders(world: World) -> FastAPI:
    """The example of the documentation."""
    guard = world.guard(direct=True, scopes={"orders:read": "See orders"})
    app = FastAPI(lifespan=guard.lifespan, dependencies=[Depends(guard)])

    @app.get("/orders")
    async def list_orders(caller: Annotated[Principal, Security(guard, scopes=["orders:read"])]) -> str:
        return caller.client_id

    return app


@pytest.mark.parametrize("authorization_endpoint", ["https://auth.example.com/sign-in", None])
def test_openapi_shows_the_scheme_with_real_addresses(
    world: World, orders: FastAPI, authorization_endpoint: str | None
) -> None:
    said = {**world.issuer.metadata(), "authorization_endpoint": authorization_endpoint}
    metadata = json.dumps({name: value for name, value in said.items() if value}).encode()
    world.issuer.raw["/.well-known/oauth-authorization-server"] = (200, {}, metadata)
    with TestClient(orders) as client:
        document = client.get("/openapi.json").json()
        flows = document["components"]["securitySchemes"]["Ostiary"]["flows"]
        assert flows["clientCredentials"] == {
            "tokenUrl": f"{world.issuer.issuer}/token",
            "scopes": {"orders:read": "See orders"},
        }
        assert flows.get("authorizationCode", {}).get("authorizationUrl") == authorization_endpoint
        assert document["paths"]["/orders"]["get"]["security"] == [{"Ostiary": ["orders:read"]}]
        assert "parameters" not in document["paths"]["/orders"]["get"]
        assert "usePkceWithAuthorizationCodeGrant" in client.get("/docs").text


def test_a_client_jwt_is_spent_once_although_two_dependencies_ask(world: World, orders: FastAPI) -> None:
    with TestClient(orders) as client:
        headers = {DIRECT: world.direct(world.client_key())}
        assert client.get("/orders", headers=headers).status_code == 200
        assert client.get("/orders", headers=headers).status_code == 401


def test_the_second_dependency_still_decides_about_scopes(world: World, orders: FastAPI) -> None:
    with TestClient(orders) as client:
        headers = {"Authorization": f"Bearer {world.token(scope='other')}"}
        assert client.get("/orders", headers=headers).status_code == 403


def test_an_application_may_answer_refusals_in_its_own_way(world: World, orders: FastAPI) -> None:
    @orders.exception_handler(RefusedRequest)
    async def own(_: Request, error: RefusedRequest) -> PlainTextResponse:
        return PlainTextResponse(error.refused.description, error.refused.status)

    with TestClient(orders) as client:
        assert client.get("/orders").text == "no access token"


def test_without_the_lifespan_the_guard_works_as_well(world: World) -> None:
    guard = world.guard()
    app = FastAPI()

    @app.get("/orders")
    async def list_orders(caller: Annotated[Principal, Security(guard, scopes=["orders:read"])]) -> str:
        return caller.client_id

    client = TestClient(app)
    assert client.get("/orders", headers={"Authorization": f"Bearer {world.token()}"}).json() == "orders-client"
    assert client.get("/orders").json()["error_description"] == "no access token"


def test_an_issuer_that_is_out_is_503_with_retry_after(world: World, orders: FastAPI) -> None:
    world.issuer.down = True
    with TestClient(orders) as client:
        answer = client.get("/orders", headers={"Authorization": f"Bearer {world.token()}"})
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
        assert int(answer.headers["Retry-After"]) > 0


def test_an_application_that_starts_again_has_the_metadata_once(world: World, orders: FastAPI) -> None:
    for _ in range(3):
        with TestClient(orders) as client:
            assert client.get(WELL_KNOWN).json()["resource"] == AUDIENCE
    assert [getattr(route, "path", "") for route in orders.router.routes].count(WELL_KNOWN) == 1
