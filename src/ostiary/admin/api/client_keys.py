"""Keys of a client, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends

from ostiary.admin import client_keys, endings
from ostiary.admin.answers import ClientKeyAnswer
from ostiary.admin.api.guard import AdminGuard
from ostiary.admin.api.rows import ClientIdInPath, answers
from ostiary.admin.commands import KeyEnd, NewKey
from ostiary.admin.existing import existing_client
from ostiary.authorization_server.admin_resource import READ, WRITE
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.revocation.act import Act


def client_keys_router(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    """List, add, end."""
    router = APIRouter(tags=["client keys"])
    storage = server.storage
    reader, writer = Depends(guard.requires(READ)), guard.requires(WRITE)

    @router.get("/clients/{client_id}/keys", dependencies=[reader], responses=answers(404, 422))
    async def list_keys(client_id: ClientIdInPath) -> list[ClientKeyAnswer]:
        async with storage.read() as work:
            await existing_client(work, client_id)
            return [ClientKeyAnswer.model_validate(key) for key in await work.client_keys.of_client(client_id)]

    @router.post("/clients/{client_id}/keys", status_code=201, responses=answers(404, 422))
    async def add_keys(
        client_id: ClientIdInPath, command: NewKey, act: Annotated[Act, Depends(writer)]
    ) -> list[ClientKeyAnswer]:
        added = await client_keys.add_keys(storage, client_id, command, act)
        return [ClientKeyAnswer.model_validate(key) for key in added]

    @router.post("/clients/{client_id}/keys/end", responses=answers(404, 422))
    async def end_key(
        client_id: ClientIdInPath, command: KeyEnd, act: Annotated[Act, Depends(writer)]
    ) -> list[ClientKeyAnswer]:
        ended = await endings.end_client_key(storage, client_id, command.kid, command.state, act)
        return [ClientKeyAnswer.model_validate(key) for key in ended]

    return router
