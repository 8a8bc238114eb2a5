"""The tokens of upstream providers that were taken: statements and repository."""

from __future__ import annotations

from ostiary.model.received_signal import ReceivedSignal
from ostiary.storage.connection import Connection
from ostiary.storage.signal_schema import RECEIVED_SIGNALS
from ostiary.storage.statements import addition

_COLUMNS = tuple(ReceivedSignal.__dataclass_fields__)
_ADD = addition(RECEIVED_SIGNALS)


class SqlReceivedSignals:
    """What was taken, for as long as it could be taken again."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def mark(self, signal: ReceivedSignal) -> bool:
        """Whether this is the first time. Atomic, one winner."""
        return await self._connection.run(_ADD, {name: getattr(signal, name) for name in _COLUMNS}) > 0
