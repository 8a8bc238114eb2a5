"""The audit log and the traces, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from ostiary.admin.answers import AuditAnswer, TraceAnswer
from ostiary.admin.api.guard import AdminGuard
from ostiary.admin.api.rows import Filter, Limit, TraceIdInPath, answers
from ostiary.admin.existing import NotThere
from ostiary.authorization_server.admin_resource import READ
from ostiary.authorization_server.context import AuthorizationServer

After = Annotated[
    str | None,
    Query(
        pattern=r"^[0-9]{1,15}\.[A-Za-z0-9_-]{1,64}\.[0-9]{1,12}$",
        description="at.writer.number of the last event of the page before",
    ),
]


def history_router(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    """Read only: nothing over HTTP changes or drops what has happened."""
    router = APIRouter(tags=["audit"])
    storage = server.storage
    reader = Depends(guard.requires(READ))

    @router.get("/audit", dependencies=[reader], responses=answers(422))
    async def list_audit(
        tag: Filter = None,
        actor: Filter = None,
        target: Filter = None,
        trace_id: Filter = None,
        after: After = None,
        limit: Limit = 100,
    ) -> list[AuditAnswer]:
        async with storage.read() as work:
            rows = await work.audit.query(
                tag=tag, actor=actor, target=target, trace_id=trace_id, after=_place(after), limit=limit
            )
        return [AuditAnswer.model_validate(row) for row in rows]

    @router.get("/traces/{trace_id}", dependencies=[reader], responses=answers(404, 422))
    async def show_trace(trace_id: TraceIdInPath) -> TraceAnswer:
        async with storage.read() as work:
            found = await work.traces.get(trace_id)
        if found is None:
            raise NotThere(
                f"there is no trace {trace_id!r}: it is older than {server.settings.traces.retention_days} days; or the"
                " request was refused before it was read, and stands in the server's log alone; or another server's"
            )
        record, source = found
        members = {name: getattr(record, name) for name in record.__struct_fields__}
        return TraceAnswer.model_validate({**members, "checks": list(record.checks), "source": source})

    return router


def _place(after: str | None) -> tuple[int, str, int] | None:
    if after is None:
        return None
    at, writer, number = after.split(".")
    return int(at), writer, int(number)
