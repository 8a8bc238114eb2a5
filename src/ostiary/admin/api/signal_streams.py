"""Streams of security events, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends

from ostiary.admin import signal_streams
from ostiary.admin.api.guard import AdminGuard
from ostiary.admin.api.rows import Limit, NameInPath, Page, answers
from ostiary.admin.limits import Limits
from ostiary.admin.signal_answers import NewReceiver, ReceiverAnswer, SignalStreamAnswer, StreamPause
from ostiary.authorization_server.admin_resource import READ, WRITE
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.model.signal import SignalStream
from ostiary.revocation.act import Act


def signal_streams_router(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    """Let a client have one; list, show, pause, resume, delete."""
    router = APIRouter(tags=["security events"])
    storage, limits = server.storage, Limits.of(server.settings)
    reader, writer = Depends(guard.requires(READ)), guard.requires(WRITE)

    @router.post("/signal-receivers", responses=answers(404, 422))
    async def allow(command: NewReceiver, act: Annotated[Act, Depends(writer)]) -> ReceiverAnswer:
        client = await signal_streams.allow_receiver(storage, limits, server.issuer, command.client_id, act)
        return ReceiverAnswer.of(server.issuer, client)

    @router.get("/signal-streams", dependencies=[reader], responses=answers(422))
    async def list_streams(after: Page = "", limit: Limit = 100) -> list[SignalStreamAnswer]:
        async with storage.read() as work:
            found = await work.signal_streams.list(after=after, limit=limit)
            return [await SignalStreamAnswer.of(work, one) for one in found]

    @router.get("/signal-streams/{stream_id}", dependencies=[reader], responses=answers(404, 422))
    async def show_stream(stream_id: NameInPath) -> SignalStreamAnswer:
        async with storage.read() as work:
            return await SignalStreamAnswer.of(work, await signal_streams.existing_stream(work, stream_id))

    @router.post("/signal-streams/{stream_id}/pause", responses=answers(404, 422))
    async def pause(
        stream_id: NameInPath, command: StreamPause, act: Annotated[Act, Depends(writer)]
    ) -> SignalStreamAnswer:
        return await _answer(await signal_streams.pause_stream(storage, stream_id, command.reason, act))

    @router.post("/signal-streams/{stream_id}/resume", responses=answers(404, 422))
    async def resume(stream_id: NameInPath, act: Annotated[Act, Depends(writer)]) -> SignalStreamAnswer:
        return await _answer(await signal_streams.resume_stream(storage, stream_id, act))

    @router.delete("/signal-streams/{stream_id}", responses=answers(404, 422))
    async def delete(stream_id: NameInPath, act: Annotated[Act, Depends(writer)]) -> SignalStreamAnswer:
        return await _answer(await signal_streams.delete_stream(storage, stream_id, act))

    async def _answer(stream: SignalStream) -> SignalStreamAnswer:
        async with storage.read() as work:
            return await SignalStreamAnswer.of(work, stream)

    return router
