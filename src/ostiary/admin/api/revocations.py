"""Revocations, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from ostiary.admin import feed_readers, revocations
from ostiary.admin.api.guard import AdminGuard
from ostiary.admin.api.rows import answers
from ostiary.admin.revocation_answers import ApiKnowledgeAnswer, RevocationAnswer
from ostiary.admin.revocation_commands import NewRevocation
from ostiary.authorization_server.admin_resource import READ, WRITE
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.revocation.act import Act

Position = Annotated[
    int | None, Query(ge=0, le=2**53 - 1, description="of a revocation; without it, the end of the revocation log")
]


def revocations_router(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    """End one thing, whatever its kind; see which APIs know."""
    router = APIRouter(tags=["revocations"])
    reader, writer = Depends(guard.requires(READ)), guard.requires(WRITE)

    # What is named stands in the body, as it may be a token: of a URL more is written down on its way.
    @router.post("/revocations", responses=answers(404, 422))
    async def revoke(command: NewRevocation, act: Annotated[Act, Depends(writer)]) -> RevocationAnswer:
        return await revocations.revoke(server.storage, server.issuer, command, act)

    @router.get("/revocations/readers", dependencies=[reader], responses=answers(422))
    async def readers(position: Position = None) -> list[ApiKnowledgeAnswer]:
        found = await feed_readers.readers(server.storage, now=server.clock(), position=position)
        return [ApiKnowledgeAnswer.model_validate(one) for one in found]

    return router
