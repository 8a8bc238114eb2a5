"""APIs, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from ostiary.admin import apis
from ostiary.admin.answers import ApiAnswer
from ostiary.admin.api.guard import AdminGuard
from ostiary.admin.api.rows import Limit, Page, answers
from ostiary.admin.commands import NewApi
from ostiary.admin.existing import existing_api
from ostiary.admin.limits import Limits
from ostiary.authorization_server.admin_resource import READ, WRITE
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.model.names import MAX_IDENTIFIER_LENGTH
from ostiary.revocation.act import Act


def apis_router(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    """List, make, show."""
    router = APIRouter(tags=["APIs"])
    storage, limits = server.storage, Limits.of(server.settings)
    reader, writer = Depends(guard.requires(READ)), guard.requires(WRITE)

    @router.get("/apis", dependencies=[reader], responses=answers(422))
    async def list_apis(after: Page = "", limit: Limit = 100) -> list[ApiAnswer]:
        async with storage.read() as work:
            return [ApiAnswer.model_validate(api) for api in await work.apis.list(after=after, limit=limit)]

    @router.post("/apis", status_code=201, responses=answers(422))
    async def create_api(command: NewApi, act: Annotated[Act, Depends(writer)]) -> ApiAnswer:
        made = await apis.create_api(storage, limits, command, act)
        if made.token_format == "self-contained":
            # Else the first token for it would have to wait until the server looks round.
            await server.signing_keys.ensure((made.token_alg,), actor=act.actor)
        return ApiAnswer.model_validate(made)

    @router.get("/apis/show", dependencies=[reader], responses=answers(404, 422))
    async def show_api(identifier: Annotated[str, Query(max_length=MAX_IDENTIFIER_LENGTH)]) -> ApiAnswer:
        async with storage.read() as work:
            return ApiAnswer.model_validate(await existing_api(work, identifier))

    return router
