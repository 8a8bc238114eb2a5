"""The installation's signing keys, over HTTP."""

from dataclasses import asdict
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends

from ostiary.admin.api.guard import READ, WRITE, AdminGuard
from ostiary.admin.api.rows import Row
from ostiary.admin.commands import Rotation
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.revocation.act import Act


def signing_keys_router(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    router = APIRouter(tags=["signing keys"])
    storage = server.storage
    reader, writer = Depends(guard.requires(READ)), guard.requires(WRITE)

    @router.get("/keys", dependencies=[reader])
    async def list_signing_keys() -> list[Row]:
        async with storage.read() as work:
            found = await work.signing_keys.list()
        return [{name: value for name, value in asdict(key).items() if name != "wrapped_private_key"} for key in found]

    @router.post("/keys/rotate")
    async def rotate(command: Rotation, act: Annotated[Act, Depends(writer)]) -> Row:
        outcome = await server.signing_keys.rotate(command.alg, compromised=command.compromised, actor=act.actor)
        return {"outcome": msgspec.to_builtins(outcome)}

    return router
