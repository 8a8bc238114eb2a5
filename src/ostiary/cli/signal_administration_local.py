"""The operator's commands about streams of security events on this machine's database."""

from __future__ import annotations

from collections.abc import Callable

from ostiary.admin import signal_streams
from ostiary.admin.answers import plain
from ostiary.admin.limits import Limits
from ostiary.admin.signal_answers import NewReceiver, ReceiverAnswer, SignalStreamAnswer, StreamPause
from ostiary.cli.local import Local
from ostiary.cli.user_administration import Row
from ostiary.model.signal import SignalStream
from ostiary.revocation.act import Act

_PAGE = 500


class LocalSignalAdministration:
    """The services of ``admin.signal_streams``."""

    def __init__(self, local: Local, limits: Limits, act: Callable[[], Act]) -> None:
        self._local = local
        self._storage = local.storage
        self._limits = limits
        self._act = act

    async def allow(self, command: NewReceiver) -> Row:
        issuer = self._local.settings.issuer
        client = await signal_streams.allow_receiver(
            self._storage, self._limits, issuer, command.client_id, self._act()
        )
        return plain(ReceiverAnswer.of(issuer, client))

    async def streams(self) -> list[Row]:
        rows: list[Row] = []
        after = ""
        async with self._storage.read() as work:
            while found := await work.signal_streams.list(after=after, limit=_PAGE):
                rows += [plain(await SignalStreamAnswer.of(work, one)) for one in found]
                after = found[-1].stream_id
        return rows

    async def show(self, stream_id: str) -> Row:
        async with self._storage.read() as work:
            return plain(await SignalStreamAnswer.of(work, await signal_streams.existing_stream(work, stream_id)))

    async def pause(self, stream_id: str, command: StreamPause) -> Row:
        return await self._row(await signal_streams.pause_stream(self._storage, stream_id, command.reason, self._act()))

    async def resume(self, stream_id: str) -> Row:
        return await self._row(await signal_streams.resume_stream(self._storage, stream_id, self._act()))

    async def delete(self, stream_id: str) -> Row:
        return await self._row(await signal_streams.delete_stream(self._storage, stream_id, self._act()))

    async def _row(self, stream: SignalStream) -> Row:
        async with self._storage.read() as work:
            return plain(await SignalStreamAnswer.of(work, stream))
