"""The operator's commands about streams of security events by the admin API of a server elsewhere."""

from __future__ import annotations

from ostiary.admin.signal_answers import NewReceiver, StreamPause
from ostiary.cli.admin_http import AdminHttp, in_path
from ostiary.cli.user_administration import Row


class RemoteSignalAdministration:
    """Each method is one request, or one a page."""

    def __init__(self, ask: AdminHttp) -> None:
        self._ask = ask

    async def allow(self, command: NewReceiver) -> Row:
        return await self._ask.one("POST", "signal-receivers", command)

    async def streams(self) -> list[Row]:
        return await self._ask.pages("signal-streams", "stream_id")

    async def show(self, stream_id: str) -> Row:
        return await self._ask.one("GET", f"signal-streams/{in_path(stream_id)}")

    async def pause(self, stream_id: str, command: StreamPause) -> Row:
        return await self._ask.one("POST", f"signal-streams/{in_path(stream_id)}/pause", command)

    async def resume(self, stream_id: str) -> Row:
        return await self._ask.one("POST", f"signal-streams/{in_path(stream_id)}/resume")

    async def delete(self, stream_id: str) -> Row:
        return await self._ask.one("DELETE", f"signal-streams/{in_path(stream_id)}")
