"""Keys and tokens of a client, over HTTP."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends

from ostiary.admin import client_keys, endings
from ostiary.admin.api.guard import READ, WRITE, AdminGuard
from ostiary.admin.api.rows import Limit, Page, Row
from ostiary.admin.commands import KeyEnd, NewKey
from ostiary.admin.existing import existing_client
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.revocation.act import Act


def client_keys_router(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    router = APIRouter(tags=["client keys"])
    storage = server.storage
    reader, writer = Depends(guard.requires(READ)), guard.requires(WRITE)

    @router.get("/clients/{client_id}/keys", dependencies=[reader])
    async def list_keys(client_id: str) -> list[Row]:
        async with storage.read() as work:
            await existing_client(work, client_id)
            return [asdict(key) for key in await work.client_keys.of_client(client_id)]

    @router.post("/clients/{client_id}/keys", status_code=201)
    async def add_keys(client_id: str, command: NewKey, act: Annotated[Act, Depends(writer)]) -> list[Row]:
        return [asdict(key) for key in await client_keys.add_keys(storage, client_id, command, act)]

    @router.post("/clients/{client_id}/keys/end")
    async def end_key(client_id: str, command: KeyEnd, act: Annotated[Act, Depends(writer)]) -> list[Row]:
        ended = await endings.end_client_key(storage, client_id, command.kid, command.state, act)
        return [asdict(key) for key in ended]

    @router.get("/clients/{client_id}/tokens", dependencies=[reader])
    async def list_tokens(client_id: str, after: Page = "", limit: Limit = 100) -> list[Row]:
        async with storage.read() as work:
            now = int(server.clock())
            found = await work.tokens.of_client(client_id, now=now, after=after, limit=limit)
            return [{name: value for name, value in asdict(token).items() if name != "digest"} for token in found]

    return router
