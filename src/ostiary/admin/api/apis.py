"""APIs, over HTTP."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from ostiary.admin import apis
from ostiary.admin.api.guard import READ, WRITE, AdminGuard
from ostiary.admin.api.rows import Limit, Page, Row
from ostiary.admin.commands import NewApi
from ostiary.admin.existing import existing_api
from ostiary.admin.limits import Limits
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.revocation.act import Act


def apis_router(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    router = APIRouter(tags=["APIs"])
    storage, limits = server.storage, Limits.of(server.settings)
    reader, writer = Depends(guard.requires(READ)), guard.requires(WRITE)

    @router.get("/apis", dependencies=[reader])
    async def list_apis(after: Page = "", limit: Limit = 100) -> list[Row]:
        async with storage.read() as work:
            return [asdict(api) for api in await work.apis.list(after=after, limit=limit)]

    @router.post("/apis", status_code=201)
    async def create_api(command: NewApi, act: Annotated[Act, Depends(writer)]) -> Row:
        return asdict(await apis.create_api(storage, limits, command, act))

    @router.get("/apis/show", dependencies=[reader])
    async def show_api(identifier: Annotated[str, Query(max_length=500)]) -> Row:
        async with storage.read() as work:
            return asdict(await existing_api(work, identifier))

    return router
