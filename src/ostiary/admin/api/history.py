"""The audit log and the traces, over HTTP."""

import msgspec
from fastapi import APIRouter, Depends

from ostiary.admin.api.guard import READ, AdminGuard
from ostiary.admin.api.rows import Limit, Row
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.errors import ConfigurationError


def history_router(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    router = APIRouter(tags=["audit"])
    storage = server.storage
    reader = Depends(guard.requires(READ))

    @router.get("/audit", dependencies=[reader])
    async def list_audit(
        tag: str | None = None,
        actor: str | None = None,
        target: str | None = None,
        trace_id: str | None = None,
        limit: Limit = 100,
    ) -> list[Row]:
        async with storage.read() as work:
            rows = await work.audit.query(tag=tag, actor=actor, target=target, trace_id=trace_id, limit=limit)
        return [msgspec.to_builtins(row) for row in rows]

    @router.get("/traces/{trace_id}", dependencies=[reader])
    async def show_trace(trace_id: str) -> Row:
        async with storage.read() as work:
            found = await work.traces.get(trace_id)
        if found is None:
            raise ConfigurationError(f"there is no trace {trace_id!r}: it has expired, or another server made it")
        record, source = found
        return {"source": source, **msgspec.to_builtins(record)}

    return router
