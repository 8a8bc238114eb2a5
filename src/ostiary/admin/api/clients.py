"""Clients, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends

from ostiary.admin import client_secrets, clients, endings
from ostiary.admin.answers import ClientAnswer, MadeClientAnswer
from ostiary.admin.api.guard import AdminGuard
from ostiary.admin.api.rows import ClientIdInPath, Limit, Page, answers
from ostiary.admin.commands import ClientChanges, NewClient
from ostiary.admin.existing import existing_client
from ostiary.admin.limits import Limits
from ostiary.authorization_server import wanted_algorithms
from ostiary.authorization_server.admin_resource import READ, WRITE
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.revocation.act import Act


def clients_router(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    """List, make, show, change, disable, enable."""
    router = APIRouter(tags=["clients"])
    storage, limits = server.storage, Limits.of(server.settings)
    reader, writer = Depends(guard.requires(READ)), guard.requires(WRITE)

    @router.get("/clients", dependencies=[reader], responses=answers(422))
    async def list_clients(after: Page = "", limit: Limit = 100) -> list[ClientAnswer]:
        async with storage.read() as work:
            found = await work.clients.list(after=after, limit=limit)
        return [ClientAnswer.model_validate(client) for client in found]

    @router.post("/clients", status_code=201, responses=answers(422))
    async def create_client(command: NewClient, act: Annotated[Act, Depends(writer)]) -> MadeClientAnswer:
        made = await clients.create_client(storage, limits, command, act)
        await server.signing_keys.ensure(wanted_algorithms.of_client(made.client), actor=act.actor)
        return MadeClientAnswer.of(made.client, made.secret)

    @router.get("/clients/{client_id}", dependencies=[reader], responses=answers(404, 422))
    async def show_client(client_id: ClientIdInPath) -> ClientAnswer:
        async with storage.read() as work:
            return ClientAnswer.model_validate(await existing_client(work, client_id))

    @router.patch("/clients/{client_id}", responses=answers(404, 422))
    async def change_client(
        client_id: ClientIdInPath, changes: ClientChanges, act: Annotated[Act, Depends(writer)]
    ) -> ClientAnswer:
        changed = await clients.change_client(storage, limits, client_id, changes, act)
        await server.signing_keys.ensure(wanted_algorithms.of_client(changed), actor=act.actor)
        return ClientAnswer.model_validate(changed)

    @router.post("/clients/{client_id}/secret", responses=answers(404, 422))
    async def renew_secret(client_id: ClientIdInPath, act: Annotated[Act, Depends(writer)]) -> MadeClientAnswer:
        made = await client_secrets.renew_secret(storage, client_id, act)
        return MadeClientAnswer.of(made.client, made.secret)

    @router.post("/clients/{client_id}/disable", responses=answers(404, 422))
    async def disable_client(client_id: ClientIdInPath, act: Annotated[Act, Depends(writer)]) -> ClientAnswer:
        return ClientAnswer.model_validate(await endings.disable_client(storage, client_id, act))

    @router.post("/clients/{client_id}/enable", responses=answers(404, 422))
    async def enable_client(client_id: ClientIdInPath, act: Annotated[Act, Depends(writer)]) -> ClientAnswer:
        return ClientAnswer.model_validate(await clients.enable_client(storage, client_id, act))

    return router
