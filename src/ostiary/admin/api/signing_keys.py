"""The installation's signing keys, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends

from ostiary.admin.answers import RotationAnswer, SigningKeyAnswer
from ostiary.admin.api.guard import AdminGuard
from ostiary.admin.api.rows import answers
from ostiary.admin.commands import Rotation
from ostiary.authorization_server.admin_resource import READ, WRITE
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.revocation.act import Act


def signing_keys_router(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    """List and rotate; what wraps them is changed on the server's own machine alone."""
    router = APIRouter(tags=["signing keys"])
    storage = server.storage
    reader, writer = Depends(guard.requires(READ)), guard.requires(WRITE)

    @router.get("/keys", dependencies=[reader], responses=answers())
    async def list_signing_keys() -> list[SigningKeyAnswer]:
        async with storage.read() as work:
            return [SigningKeyAnswer.model_validate(key) for key in await work.signing_keys.list()]

    @router.post("/keys/rotate", responses=answers(422))
    async def rotate(command: Rotation, act: Annotated[Act, Depends(writer)]) -> list[RotationAnswer]:
        done = await server.signing_keys.rotate(
            command.alg, compromised=command.compromised, kid=command.kid, use=command.use, actor=act.actor
        )
        return [RotationAnswer.model_validate(one) for one in done]

    return router
