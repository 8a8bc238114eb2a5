"""Users, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from ostiary.admin import user_endings, user_import
from ostiary.admin.api.guard import AdminGuard
from ostiary.admin.api.rows import Limit, Page, UserIdInPath, UserOrName, answers
from ostiary.admin.user_answers import ImportedAnswer, UserAnswer
from ostiary.admin.user_commands import NewPassword, NewUser, UserChanges, UserImport
from ostiary.admin.users import UserService, user_called
from ostiary.authorization_server.admin_resource import READ, WRITE
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.revocation.act import Act

Email = Annotated[str, Query(max_length=320, pattern=r"^[^\x00-\x1f\x7f]*$", description="only those of this address")]


def users_router(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    """List, make, show, change."""
    router = APIRouter(tags=["users"])
    storage = server.storage
    reader, writer = Depends(guard.requires(READ)), guard.requires(WRITE)

    @router.get("/users", dependencies=[reader], responses=answers(422))
    async def list_users(after: Page = "", limit: Limit = 100, email: Email = "") -> list[UserAnswer]:
        async with storage.read() as work:
            if email:
                found = [user for user in await work.users.by_email(email) if user.user_id > after][:limit]
            else:
                found = await work.users.list(after=after, limit=limit)
        return [UserAnswer.model_validate(user) for user in found]

    @router.post("/users", status_code=201, responses=answers(422))
    async def create_user(command: NewUser, act: Annotated[Act, Depends(writer)]) -> UserAnswer:
        return UserAnswer.model_validate(await _service(server).create(command, act))

    @router.get("/users/show", dependencies=[reader], responses=answers(404, 422))
    async def show_user(user: UserOrName) -> UserAnswer:
        async with storage.read() as work:
            return UserAnswer.model_validate(await user_called(work, user))

    @router.patch("/users/{user_id}", responses=answers(404, 422))
    async def change_user(
        user_id: UserIdInPath, changes: UserChanges, act: Annotated[Act, Depends(writer)]
    ) -> UserAnswer:
        return UserAnswer.model_validate(await _service(server).change(user_id, changes, act))

    return router


def user_acts_router(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    """Give a password, disable, enable, import."""
    router = APIRouter(tags=["users"])
    storage, writer = server.storage, guard.requires(WRITE)

    @router.post("/users/import", responses=answers(422))
    async def import_users(command: UserImport, act: Annotated[Act, Depends(writer)]) -> list[ImportedAnswer]:
        done = await user_import.import_users(storage, command, act)
        return [ImportedAnswer.model_validate(one) for one in done]

    @router.post("/users/{user_id}/password", responses=answers(404, 422))
    async def set_password(
        user_id: UserIdInPath, command: NewPassword, act: Annotated[Act, Depends(writer)]
    ) -> UserAnswer:
        return UserAnswer.model_validate(await _service(server).set_password(user_id, command, act))

    @router.post("/users/{user_id}/disable", responses=answers(404, 422))
    async def disable_user(user_id: UserIdInPath, act: Annotated[Act, Depends(writer)]) -> UserAnswer:
        return UserAnswer.model_validate(await user_endings.disable_user(storage, user_id, act))

    @router.post("/users/{user_id}/enable", responses=answers(404, 422))
    async def enable_user(user_id: UserIdInPath, act: Annotated[Act, Depends(writer)]) -> UserAnswer:
        return UserAnswer.model_validate(await _service(server).enable(user_id, act))

    return router


def _service(server: AuthorizationServer) -> UserService:
    return UserService(server.storage, server.passwords, server.settings.sign_in)
