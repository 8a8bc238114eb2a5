"""Access tokens, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends

from ostiary.admin import tokens
from ostiary.admin.answers import EndedTokenAnswer, TokenAnswer
from ostiary.admin.api.guard import AdminGuard
from ostiary.admin.api.rows import ClientIdInPath, Limit, Page, answers
from ostiary.admin.commands import TokenEnd
from ostiary.authorization_server.admin_resource import READ, WRITE
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.revocation.act import Act


def tokens_router(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    """List those of a client, end one."""
    router = APIRouter(tags=["tokens"])
    storage = server.storage
    reader, writer = Depends(guard.requires(READ)), guard.requires(WRITE)

    @router.get("/clients/{client_id}/tokens", dependencies=[reader], responses=answers(404, 422))
    async def list_tokens(client_id: ClientIdInPath, after: Page = "", limit: Limit = 100) -> list[TokenAnswer]:
        now = int(server.clock())
        return await tokens.tokens_of_client(storage, client_id, now=now, after=after, limit=limit)

    # The jti stands in the body: of a URL more is written down on its way.
    @router.post("/tokens/revoke", responses=answers(404, 422))
    async def revoke_token(command: TokenEnd, act: Annotated[Act, Depends(writer)]) -> EndedTokenAnswer:
        return await tokens.revoke_token(storage, command.jti, act)

    return router
