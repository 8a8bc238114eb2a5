"""The admin API below ``/admin`` on the management address: the services of this room, guarded by our own tokens."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from ostiary.admin import apis, client_keys, clients, endings
from ostiary.admin.actors import Actor
from ostiary.admin.commands import ClientChanges, KeyEnd, NewApi, NewClient, NewKey, Rotation
from ostiary.admin.guard import READ, WRITE, AdminGuard, refused
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.errors import ConfigurationError, OAuthError, Unavailable

Row = dict[str, Any]
Limit = Annotated[int, Query(ge=1, le=500)]
Page = Annotated[str, Query(max_length=500, description="the last id of the page before")]


def create_admin_app(server: AuthorizationServer) -> FastAPI:
    """The application to mount at ``/admin``. Tokens are for the API ``<issuer>/admin``; see ``admin bootstrap``."""
    app = FastAPI(
        title="Ostiary admin API",
        description="Clients, keys, APIs, signing keys, audit. Every change is audited and binds the next request.",
        openapi_url="/openapi.json",
        docs_url="/docs",
        redoc_url=None,
    )
    guard = AdminGuard(server)
    for router in (_clients(server, guard), _apis(server, guard), _installation(server, guard)):
        app.include_router(router)
    app.add_exception_handler(OAuthError, refused)
    app.add_exception_handler(ConfigurationError, _unusable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Unavailable, _unavailable)
    return app


def _clients(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    router = APIRouter(tags=["clients"])
    storage = server.storage
    reader, writer = Depends(guard.requires(READ)), guard.requires(WRITE)

    @router.get("/clients", dependencies=[reader])
    async def list_clients(after: Page = "", limit: Limit = 100) -> list[Row]:
        async with storage.read() as work:
            return [asdict(client) for client in await work.clients.list(after=after, limit=limit)]

    @router.post("/clients", status_code=201)
    async def create_client(command: NewClient, actor: Annotated[Actor, Depends(writer)]) -> Row:
        return asdict(await clients.create_client(storage, command, actor))

    @router.get("/clients/{client_id}", dependencies=[reader])
    async def show_client(client_id: str) -> Row:
        async with storage.read() as work:
            return asdict(await clients.existing_client(work, client_id))

    @router.patch("/clients/{client_id}")
    async def change_client(
        client_id: str, changes: ClientChanges, actor: Annotated[Actor, Depends(writer)]
    ) -> Row:
        return asdict(await clients.change_client(storage, client_id, changes, actor))

    @router.post("/clients/{client_id}/disable")
    async def disable_client(client_id: str, actor: Annotated[Actor, Depends(writer)]) -> Row:
        return asdict(await endings.disable_client(storage, client_id, actor, server.settings.tokens.max_life))

    @router.post("/clients/{client_id}/enable")
    async def enable_client(client_id: str, actor: Annotated[Actor, Depends(writer)]) -> Row:
        return asdict(await clients.enable_client(storage, client_id, actor))

    @router.get("/clients/{client_id}/keys", dependencies=[reader])
    async def list_keys(client_id: str) -> list[Row]:
        async with storage.read() as work:
            await clients.existing_client(work, client_id)
            return [asdict(key) for key in await work.client_keys.of_client(client_id)]

    @router.post("/clients/{client_id}/keys", status_code=201)
    async def add_keys(client_id: str, command: NewKey, actor: Annotated[Actor, Depends(writer)]) -> list[Row]:
        return [asdict(key) for key in await client_keys.add_keys(storage, client_id, command, actor)]

    @router.post("/clients/{client_id}/keys/{kid}/end")
    async def end_key(
        client_id: str, kid: str, command: KeyEnd, actor: Annotated[Actor, Depends(writer)]
    ) -> list[Row]:
        ended = await endings.end_client_key(
            storage, client_id, kid, command.state, actor, server.settings.tokens.max_life
        )
        return [asdict(key) for key in ended]

    @router.get("/clients/{client_id}/tokens", dependencies=[reader])
    async def list_tokens(client_id: str, after: Page = "", limit: Limit = 100) -> list[Row]:
        async with storage.read() as work:
            now = int(server.clock())
            found = await work.tokens.of_client(client_id, now=now, after=after, limit=limit)
            return [{name: value for name, value in asdict(token).items() if name != "digest"} for token in found]

    return router


def _apis(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    router = APIRouter(tags=["APIs"])
    storage = server.storage
    reader, writer = Depends(guard.requires(READ)), guard.requires(WRITE)

    @router.get("/apis", dependencies=[reader])
    async def list_apis(after: Page = "", limit: Limit = 100) -> list[Row]:
        async with storage.read() as work:
            return [asdict(api) for api in await work.apis.list(after=after, limit=limit)]

    @router.post("/apis", status_code=201)
    async def create_api(command: NewApi, actor: Annotated[Actor, Depends(writer)]) -> Row:
        return asdict(await apis.create_api(storage, command, actor))

    @router.get("/apis/show", dependencies=[reader])
    async def show_api(identifier: Annotated[str, Query(max_length=500)]) -> Row:
        async with storage.read() as work:
            return asdict(await apis.existing_api(work, identifier))

    return router


def _installation(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    router = APIRouter(tags=["installation"])
    storage = server.storage
    reader, writer = Depends(guard.requires(READ)), guard.requires(WRITE)

    @router.get("/keys", dependencies=[reader])
    async def list_signing_keys() -> list[Row]:
        async with storage.read() as work:
            found = await work.signing_keys.list()
        return [
            {name: value for name, value in asdict(key).items() if name != "wrapped_private_key"} for key in found
        ]

    @router.post("/keys/rotate")
    async def rotate(command: Rotation, actor: Annotated[Actor, Depends(writer)]) -> Row:
        outcome = await server.signing_keys.rotate(
            command.alg, compromised=command.compromised, actor=actor.name
        )
        return {"outcome": msgspec.to_builtins(outcome)}

    @router.get("/audit", dependencies=[reader])
    async def list_audit(
        tag: str | None = None,
        actor: str | None = None,
        target: str | None = None,
        trace_id: str | None = None,
        limit: Limit = 100,
    ) -> list[Row]:
        async with storage.read() as work:
            rows = await work.audit.query(tag=tag, actor=actor, target=target, trace_id=trace_id, limit=limit)
        return [msgspec.to_builtins(row) for row in rows]

    @router.get("/traces/{trace_id}", dependencies=[reader])
    async def show_trace(trace_id: str) -> Row:
        async with storage.read() as work:
            found = await work.traces.get(trace_id)
        if found is None:
            raise ConfigurationError(f"there is no trace {trace_id!r}: it has expired, or another server made it")
        record, source = found
        return {"source": source, **msgspec.to_builtins(record)}

    return router


async def _unusable(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": "invalid_request", "error_description": str(error)}, status_code=400)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    where = [{"where": ".".join(map(str, fault["loc"])), "problem": fault["msg"]} for fault in faults]
    message = "; ".join(f"{fault['where']}: {fault['problem']}" for fault in where)
    return JSONResponse(
        {"error": "invalid_request", "error_description": message, "faults": where}, status_code=422
    )


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    retry = error.retry_after if isinstance(error, Unavailable) else 1
    body = {"error": "temporarily_unavailable", "error_description": "temporarily unavailable, try again"}
    return JSONResponse(body, status_code=503, headers={"Retry-After": str(retry)})
