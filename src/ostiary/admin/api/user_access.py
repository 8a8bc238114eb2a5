"""What hangs on a user, over HTTP: factors, sessions, consents, grants."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from ostiary.admin import user_endings
from ostiary.admin.api.guard import AdminGuard
from ostiary.admin.api.rows import ClientIdInPath, Limit, NameInPath, Page, UserIdInPath, answers
from ostiary.admin.user_answers import ConsentAnswer, ConsentEnd, FactorAnswer, GrantAnswer, SessionAnswer
from ostiary.authorization_server.admin_resource import READ, WRITE
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.revocation.act import Act
from ostiary.user_authentication.accounts import existing_user

EndSessions = Annotated[bool, Query(description="whether the user's sessions end, too")]


def user_access_router(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    """Factors and sessions: list and end."""
    router = APIRouter(tags=["users"])
    storage = server.storage
    reader, writer = Depends(guard.requires(READ)), guard.requires(WRITE)

    @router.get("/users/{user_id}/factors", dependencies=[reader], responses=answers(404, 422))
    async def list_factors(user_id: UserIdInPath) -> list[FactorAnswer]:
        async with storage.read() as work:
            await existing_user(work, user_id)
            return [FactorAnswer.model_validate(factor) for factor in await work.factors.of_user(user_id)]

    @router.delete("/users/{user_id}/factors/{factor_id}", responses=answers(404, 422))
    async def remove_factor(
        user_id: UserIdInPath,
        factor_id: NameInPath,
        act: Annotated[Act, Depends(writer)],
        end_sessions: EndSessions = False,
    ) -> FactorAnswer:
        removed = await user_endings.remove_factor(storage, user_id, factor_id, act, end_sessions=end_sessions)
        return FactorAnswer.model_validate(removed)

    @router.get("/users/{user_id}/sessions", dependencies=[reader], responses=answers(404, 422))
    async def list_sessions(user_id: UserIdInPath) -> list[SessionAnswer]:
        async with storage.read() as work:
            await existing_user(work, user_id)
            found = await work.sessions.of_user(user_id)
        return [SessionAnswer.model_validate(one) for one in found if one.stands(server.clock())]

    @router.post("/users/{user_id}/sessions/end", responses=answers(404, 422))
    async def end_sessions(user_id: UserIdInPath, act: Annotated[Act, Depends(writer)]) -> list[SessionAnswer]:
        ended = await user_endings.end_sessions(storage, user_id, act)
        return [SessionAnswer.model_validate(one) for one in ended]

    @router.post("/sessions/{session_id}/end", responses=answers(404, 422))
    async def end_session(session_id: NameInPath, act: Annotated[Act, Depends(writer)]) -> SessionAnswer:
        return SessionAnswer.model_validate(await user_endings.end_session(storage, session_id, act))

    return router


def user_consents_router(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    """Consents and grants: list and revoke."""
    router = APIRouter(tags=["users"])
    storage = server.storage
    reader, writer = Depends(guard.requires(READ)), guard.requires(WRITE)

    @router.get("/users/{user_id}/consents", dependencies=[reader], responses=answers(404, 422))
    async def list_consents(user_id: UserIdInPath) -> list[ConsentAnswer]:
        async with storage.read() as work:
            await existing_user(work, user_id)
            return [ConsentAnswer.model_validate(one) for one in await work.consents.of_user(user_id)]

    @router.delete("/users/{user_id}/consents/{client_id}", responses=answers(404, 422))
    async def revoke_consent(
        user_id: UserIdInPath, client_id: ClientIdInPath, act: Annotated[Act, Depends(writer)]
    ) -> ConsentEnd:
        ended = await user_endings.revoke_consent(storage, user_id, client_id, act)
        return ConsentEnd(user_id=user_id, client_id=client_id, ended=ended)

    @router.get("/users/{user_id}/grants", dependencies=[reader], responses=answers(404, 422))
    async def list_grants(user_id: UserIdInPath, after: Page = "", limit: Limit = 100) -> list[GrantAnswer]:
        async with storage.read() as work:
            await existing_user(work, user_id)
            found = await work.grants.of_user(user_id, after=after, limit=limit)
        return [GrantAnswer.model_validate(one) for one in found]

    @router.post("/grants/{grant_id}/revoke", responses=answers(404, 422))
    async def revoke_grant(grant_id: NameInPath, act: Annotated[Act, Depends(writer)]) -> GrantAnswer:
        return GrantAnswer.model_validate(await user_endings.revoke_grant(storage, grant_id, act))

    return router
