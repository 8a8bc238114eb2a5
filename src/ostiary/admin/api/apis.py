"""APIs, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends

from ostiary.admin import apis, endings
from ostiary.admin.answers import ApiAnswer
from ostiary.admin.api.guard import AdminGuard
from ostiary.admin.api.rows import IdentifierInQuery, Limit, Page, answers
from ostiary.admin.commands import ApiChanges, NewApi
from ostiary.admin.existing import existing_api
from ostiary.admin.limits import Limits
from ostiary.authorization_server.admin_resource import READ, WRITE
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.model.api import Api
from ostiary.revocation.act import Act


def apis_router(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    """List, make, show, change, disable, enable; an identifier is a URL, so it stands in the query."""
    router = APIRouter(tags=["APIs"])
    storage, limits = server.storage, Limits.of(server.settings)
    reader, writer = Depends(guard.requires(READ)), guard.requires(WRITE)

    @router.get("/apis", dependencies=[reader], responses=answers(422))
    async def list_apis(after: Page = "", limit: Limit = 100) -> list[ApiAnswer]:
        async with storage.read() as work:
            return [ApiAnswer.model_validate(api) for api in await work.apis.list(after=after, limit=limit)]

    @router.post("/apis", status_code=201, responses=answers(422))
    async def create_api(command: NewApi, act: Annotated[Act, Depends(writer)]) -> ApiAnswer:
        return await ready(await apis.create_api(storage, limits, command, act), act)

    @router.get("/apis/show", dependencies=[reader], responses=answers(404, 422))
    async def show_api(identifier: IdentifierInQuery) -> ApiAnswer:
        async with storage.read() as work:
            return ApiAnswer.model_validate(await existing_api(work, identifier))

    @router.patch("/apis/change", responses=answers(404, 422))
    async def change_api(
        identifier: IdentifierInQuery, changes: ApiChanges, act: Annotated[Act, Depends(writer)]
    ) -> ApiAnswer:
        return await ready(await apis.change_api(storage, limits, identifier, changes, act), act)

    @router.post("/apis/disable", responses=answers(404, 422))
    async def disable_api(identifier: IdentifierInQuery, act: Annotated[Act, Depends(writer)]) -> ApiAnswer:
        return ApiAnswer.model_validate(await endings.disable_api(storage, identifier, act))

    @router.post("/apis/enable", responses=answers(404, 422))
    async def enable_api(identifier: IdentifierInQuery, act: Annotated[Act, Depends(writer)]) -> ApiAnswer:
        return await ready(await apis.enable_api(storage, identifier, act), act)

    async def ready(api: Api, act: Act) -> ApiAnswer:
        if api.token_format == "self-contained" and api.state == "active":
            # Else the first token for it would have to wait until the server looks round.
            await server.signing_keys.ensure((api.token_alg,), actor=act.actor)
        return ApiAnswer.model_validate(api)

    return router
