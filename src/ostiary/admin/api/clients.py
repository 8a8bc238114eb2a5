"""Clients, over HTTP."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends

from ostiary.admin import clients, endings
from ostiary.admin.api.guard import READ, WRITE, AdminGuard
from ostiary.admin.api.rows import Limit, Page, Row
from ostiary.admin.commands import ClientChanges, NewClient
from ostiary.admin.existing import existing_client
from ostiary.admin.limits import Limits
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.revocation.act import Act


def clients_router(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    router = APIRouter(tags=["clients"])
    storage, limits = server.storage, Limits.of(server.settings)
    reader, writer = Depends(guard.requires(READ)), guard.requires(WRITE)

    @router.get("/clients", dependencies=[reader])
    async def list_clients(after: Page = "", limit: Limit = 100) -> list[Row]:
        async with storage.read() as work:
            return [asdict(client) for client in await work.clients.list(after=after, limit=limit)]

    @router.post("/clients", status_code=201)
    async def create_client(command: NewClient, act: Annotated[Act, Depends(writer)]) -> Row:
        return asdict(await clients.create_client(storage, limits, command, act))

    @router.get("/clients/{client_id}", dependencies=[reader])
    async def show_client(client_id: str) -> Row:
        async with storage.read() as work:
            return asdict(await existing_client(work, client_id))

    @router.patch("/clients/{client_id}")
    async def change_client(client_id: str, changes: ClientChanges, act: Annotated[Act, Depends(writer)]) -> Row:
        return asdict(await clients.change_client(storage, limits, client_id, changes, act))

    @router.post("/clients/{client_id}/disable")
    async def disable_client(client_id: str, act: Annotated[Act, Depends(writer)]) -> Row:
        return asdict(await endings.disable_client(storage, client_id, act))

    @router.post("/clients/{client_id}/enable")
    async def enable_client(client_id: str, act: Annotated[Act, Depends(writer)]) -> Row:
        return asdict(await clients.enable_client(storage, client_id, act))

    return router
