"""What storage keeps of security event streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ostiary.model.received_signal import ReceivedSignal
from ostiary.model.signal import ChangedBy, SignalEvent, SignalStream, StreamStatus
from ostiary.model.tenant import TENANT


class SignalStreams(Protocol):
    """They raise no position: they are read anew each time."""

    async def add(self, stream: SignalStream) -> bool: ...  # False if the client has one already
    async def get(self, stream_id: str, *, tenant: str = TENANT) -> SignalStream | None: ...
    async def of_client(self, client_id: str, *, tenant: str = TENANT) -> SignalStream | None: ...
    async def list(self, *, after: str = "", limit: int = 100, tenant: str = TENANT) -> list[SignalStream]: ...
    async def wanting(self, event_type: str, *, tenant: str = TENANT) -> Sequence[SignalStream]:
        """Those that are not disabled and want events of this type; one look-up, of next to nothing without any."""
        ...

    async def replace(self, stream: SignalStream) -> bool: ...  # False if there is none
    async def set_status(
        self,
        stream_id: str,
        status: StreamStatus,
        *,
        reason: str,
        by: ChangedBy,
        at: int,
        was: StreamStatus,
        tenant: str = TENANT,
    ) -> bool:
        """Whether it had the status ``was`` until now. Atomic, one winner."""
        ...

    async def take_push(self, stream: SignalStream, *, due_at: int) -> bool:
        """Whether this caller may push now; it is due again at ``due_at`` unless settled before. Atomic, one winner."""
        ...

    async def settle_push(self, stream: SignalStream, *, attempts: int, due_at: int, verified_at: int | None) -> bool:
        """Write how the pushes went; False if the stream is pushed elsewhere by now."""
        ...

    async def ask_verification(self, stream_id: str, *, at: int, before: int, tenant: str = TENANT) -> bool:
        """Note that the receiver asks for a verification event; False if it did so after ``before``. Atomic."""
        ...

    async def remove(self, stream_id: str, *, tenant: str = TENANT) -> bool:
        """Delete it with its events and subjects; False if there was none."""
        ...

    async def remove_subject(self, stream_id: str, subject: str, *, at: int, tenant: str = TENANT) -> None: ...
    async def add_subject(self, stream_id: str, subject: str, *, tenant: str = TENANT) -> None: ...
    async def has_removed(self, stream_id: str, subject: str, *, tenant: str = TENANT) -> bool: ...
    async def removed_subjects_reach(self, stream_id: str, count: int, *, tenant: str = TENANT) -> bool: ...


class ReceivedSignals(Protocol):
    async def mark(self, signal: ReceivedSignal) -> bool: ...  # False if it was taken before; atomic, one winner


class SignalEvents(Protocol):
    async def add(self, event: SignalEvent) -> None:
        """Write an event; its position is given by the last statements before the commit, in the order of commits."""
        ...

    async def waiting(
        self, stream_id: str, *, limit: int, event_type: str | None = None, tenant: str = TENANT
    ) -> list[SignalEvent]: ...  # the oldest first

    async def reach(self, stream_id: str, count: int, *, tenant: str = TENANT) -> bool: ...  # so many wait, or more
    async def count(self, stream_id: str, *, tenant: str = TENANT) -> int: ...
    async def remove(self, stream_id: str, jtis: Sequence[str], *, tenant: str = TENANT) -> int: ...
    async def remove_all(self, stream_id: str, *, tenant: str = TENANT) -> int: ...
