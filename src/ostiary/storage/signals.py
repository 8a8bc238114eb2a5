"""Security event streams and the events that wait in them: statements and repositories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table, bindparam, delete, func, or_, select, update

from ostiary.model.signal import ChangedBy, SignalEvent, SignalStream, StreamStatus
from ostiary.model.tenant import TENANT
from ostiary.storage.connection import Connection, Row
from ostiary.storage.json_columns import decoder, to_json
from ostiary.storage.ledger import Ledger
from ostiary.storage.signal_schema import SIGNAL_EVENTS, SIGNAL_REMOVED_SUBJECTS, SIGNAL_STREAMS
from ostiary.storage.statements import Statement, addition, lookup, page, replacement

_TYPES = decoder(tuple[str, ...])
_STREAM = tuple(SignalStream.__dataclass_fields__)
_EVENT = tuple(SignalEvent.__dataclass_fields__)
_STREAMS, _EVENTS, _REMOVED = SIGNAL_STREAMS.c, SIGNAL_EVENTS.c, SIGNAL_REMOVED_SUBJECTS.c
_THIS_STREAM = (_STREAMS.tenant == bindparam("of_tenant"), _STREAMS.stream_id == bindparam("of_stream_id"))

_ADD_STREAM = addition(SIGNAL_STREAMS)
_GET_STREAM = lookup(SIGNAL_STREAMS, _STREAM, "tenant", "stream_id")
_STREAM_OF_CLIENT = lookup(SIGNAL_STREAMS, _STREAM, "tenant", "client_id")
_REPLACE_STREAM = replacement(SIGNAL_STREAMS, "tenant", "stream_id")
_SELECTED = [_STREAMS[name] for name in _STREAM]
_LIST_STREAMS = page(SIGNAL_STREAMS, _STREAM, "stream_id")
_TAKING = Statement(
    select(*_SELECTED)
    .where(_STREAMS.tenant == bindparam("tenant"), _STREAMS.status != "disabled")
    .order_by(_STREAMS.stream_id)
)
_SET_STATUS = Statement(
    update(SIGNAL_STREAMS)
    .where(*_THIS_STREAM, _STREAMS.status == bindparam("was"))
    .values(
        status=bindparam("status"),
        reason=bindparam("reason"),
        changed_by=bindparam("by"),
        updated_at=bindparam("at"),
        attempts=0,
        due_at=0,
    )
)
_ASK_VERIFICATION = Statement(
    update(SIGNAL_STREAMS)
    .where(*_THIS_STREAM, _STREAMS.verification_asked_at <= bindparam("before"))
    .values(verification_asked_at=bindparam("at"))
)

# What went well at one endpoint proves nothing of another that was named meanwhile.
_STILL_THERE = (_STREAMS.method == bindparam("was_method"), _STREAMS.endpoint_url == bindparam("was_endpoint_url"))
_TAKE_PUSH = Statement(
    update(SIGNAL_STREAMS)
    .where(*_THIS_STREAM, *_STILL_THERE, _STREAMS.due_at == bindparam("was_due_at"))
    .values(due_at=bindparam("due_at"))
)
_SETTLE_PUSH = Statement(
    update(SIGNAL_STREAMS)
    .where(*_THIS_STREAM, *_STILL_THERE)
    .values(attempts=bindparam("attempts"), due_at=bindparam("due_at"), verified_at=bindparam("verified_at"))
)

_ONE_REMOVED = lookup(SIGNAL_REMOVED_SUBJECTS, ("removed_at",), "tenant", "stream_id", "subject")
_REMOVE_SUBJECT = addition(SIGNAL_REMOVED_SUBJECTS)
_ADD_SUBJECT = Statement(
    delete(SIGNAL_REMOVED_SUBJECTS).where(
        _REMOVED.tenant == bindparam("of_tenant"),
        _REMOVED.stream_id == bindparam("of_stream_id"),
        _REMOVED.subject == bindparam("of_subject"),
    )
)

_ADD_EVENT = addition(SIGNAL_EVENTS)
_OF_STREAM = (_EVENTS.tenant == bindparam("tenant"), _EVENTS.stream_id == bindparam("stream_id"))
_WAITING = Statement(
    select(*(_EVENTS[name] for name in _EVENT))
    .where(*_OF_STREAM, or_(bindparam("event_type") == "", _EVENTS.event_type == bindparam("event_type")))
    .order_by(_EVENTS.position)
    .limit(bindparam("limit"))
)
_COUNT = Statement(select(func.count()).select_from(SIGNAL_EVENTS).where(*_OF_STREAM))
_REMOVE_EVENT = Statement(
    delete(SIGNAL_EVENTS).where(
        _EVENTS.tenant == bindparam("of_tenant"),
        _EVENTS.stream_id == bindparam("of_stream_id"),
        _EVENTS.jti == bindparam("of_jti"),
    )
)


def _deletion_of_stream(table: Table) -> Statement:
    here = (table.c.tenant == bindparam("of_tenant"), table.c.stream_id == bindparam("of_stream_id"))
    return Statement(delete(table).where(*here))


def _nth(table: Table, order: str) -> Statement:
    """Whether a stream has so many rows: as many index entries as are skipped, and no count of all."""
    here = (table.c.tenant == bindparam("tenant"), table.c.stream_id == bindparam("stream_id"))
    return Statement(select(table.c[order]).where(*here).order_by(table.c[order]).offset(bindparam("skipped")).limit(1))


_REMOVE_STREAM, _REMOVE_EVENTS, _REMOVE_SUBJECTS = map(
    _deletion_of_stream, (SIGNAL_STREAMS, SIGNAL_EVENTS, SIGNAL_REMOVED_SUBJECTS)
)
_NTH_EVENT, _NTH_SUBJECT = _nth(SIGNAL_EVENTS, "position"), _nth(SIGNAL_REMOVED_SUBJECTS, "subject")


def _stream(row: Row) -> SignalStream:
    values = dict(zip(_STREAM, row, strict=True))
    values["events_requested"] = _TYPES.decode(values["events_requested"])
    return SignalStream(**values)


def _row(stream: SignalStream) -> dict[str, Any]:
    row = {name: getattr(stream, name) for name in _STREAM}
    return row | {"events_requested": to_json(stream.events_requested)}


class SqlSignalStreams:
    """What receivers have asked for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, stream: SignalStream) -> bool:
        return await self._connection.run(_ADD_STREAM, _row(stream)) > 0

    async def get(self, stream_id: str, *, tenant: str = TENANT) -> SignalStream | None:
        row = await self._connection.one(_GET_STREAM, {"tenant": tenant, "stream_id": stream_id})
        return _stream(row) if row else None

    async def of_client(self, client_id: str, *, tenant: str = TENANT) -> SignalStream | None:
        row = await self._connection.one(_STREAM_OF_CLIENT, {"tenant": tenant, "client_id": client_id})
        return _stream(row) if row else None

    async def list(self, *, after: str = "", limit: int = 100, tenant: str = TENANT) -> list[SignalStream]:
        """The streams by id, from the first one above ``after``."""
        rows = await self._connection.all(_LIST_STREAMS, {"tenant": tenant, "after": after, "limit": limit})
        return [_stream(row) for row in rows]

    async def wanting(self, event_type: str, *, tenant: str = TENANT) -> Sequence[SignalStream]:
        """Those that are not disabled and want events of this type."""
        rows = await self._connection.all(_TAKING, {"tenant": tenant})
        return [stream for stream in map(_stream, rows) if event_type in stream.events_requested]

    async def replace(self, stream: SignalStream) -> bool:
        row = _row(stream)
        named = {"of_tenant": row.pop("tenant"), "of_stream_id": row.pop("stream_id")}
        return await self._connection.run(_REPLACE_STREAM, row | named) > 0

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
        """Whether it had the status ``was`` until now."""
        named = {"status": status, "reason": reason, "by": by, "at": at, "was": was}
        return await self._connection.run(_SET_STATUS, named | _of(stream_id, tenant)) > 0

    async def take_push(self, stream: SignalStream, *, due_at: int) -> bool:
        """Whether this caller may push now; it is due again at ``due_at`` unless settled before."""
        named = {"due_at": due_at, "was_due_at": stream.due_at}
        return await self._connection.run(_TAKE_PUSH, named | _place(stream)) > 0

    async def settle_push(self, stream: SignalStream, *, attempts: int, due_at: int, verified_at: int | None) -> bool:
        """Write how the pushes went; False if the stream is pushed elsewhere by now."""
        named = {"attempts": attempts, "due_at": due_at, "verified_at": verified_at}
        return await self._connection.run(_SETTLE_PUSH, named | _place(stream)) > 0

    async def ask_verification(self, stream_id: str, *, at: int, before: int, tenant: str = TENANT) -> bool:
        """Note that the receiver asks for a verification event; False if it did so after ``before``."""
        named = {"at": at, "before": before}
        return await self._connection.run(_ASK_VERIFICATION, named | _of(stream_id, tenant)) > 0

    async def remove(self, stream_id: str, *, tenant: str = TENANT) -> bool:
        """Delete it with its events and subjects; False if there was none."""
        named = _of(stream_id, tenant)
        removed = await self._connection.run(_REMOVE_STREAM, named) > 0
        await self._connection.run(_REMOVE_EVENTS, named)
        await self._connection.run(_REMOVE_SUBJECTS, named)
        return removed

    async def remove_subject(self, stream_id: str, subject: str, *, at: int, tenant: str = TENANT) -> None:
        row = {"tenant": tenant, "stream_id": stream_id, "subject": subject, "removed_at": at}
        await self._connection.run(_REMOVE_SUBJECT, row)

    async def add_subject(self, stream_id: str, subject: str, *, tenant: str = TENANT) -> None:
        await self._connection.run(_ADD_SUBJECT, {"of_subject": subject} | _of(stream_id, tenant))

    async def has_removed(self, stream_id: str, subject: str, *, tenant: str = TENANT) -> bool:
        named = {"tenant": tenant, "stream_id": stream_id, "subject": subject}
        return await self._connection.one(_ONE_REMOVED, named) is not None

    async def removed_subjects_reach(self, stream_id: str, count: int, *, tenant: str = TENANT) -> bool:
        named = {"tenant": tenant, "stream_id": stream_id, "skipped": count - 1}
        return await self._connection.one(_NTH_SUBJECT, named) is not None


class SqlSignalEvents:
    """The queues."""

    def __init__(self, connection: Connection, ledger: Ledger) -> None:
        self._connection = connection
        self._ledger = ledger

    async def add(self, event: SignalEvent) -> None:
        """Write an event; it gets its position at the end of the unit of work."""
        self._ledger.signal(event)

    async def waiting(
        self, stream_id: str, *, limit: int, event_type: str | None = None, tenant: str = TENANT
    ) -> list[SignalEvent]:
        """The oldest events of a stream, of one type or of all."""
        await self._ledger.settle()
        named = {"tenant": tenant, "stream_id": stream_id, "limit": limit, "event_type": event_type or ""}
        return [SignalEvent(*row) for row in await self._connection.all(_WAITING, named)]

    async def reach(self, stream_id: str, count: int, *, tenant: str = TENANT) -> bool:
        """Whether so many events of a stream wait, or more."""
        named = {"tenant": tenant, "stream_id": stream_id, "skipped": count - 1}
        return await self._connection.one(_NTH_EVENT, named) is not None

    async def count(self, stream_id: str, *, tenant: str = TENANT) -> int:
        row = await self._connection.one(_COUNT, {"tenant": tenant, "stream_id": stream_id})
        return int(row[0]) if row else 0

    async def remove(self, stream_id: str, jtis: Sequence[str], *, tenant: str = TENANT) -> int:
        """Delete these events of the stream; how many there were."""
        here = _of(stream_id, tenant)
        return await self._connection.run_for_each(_REMOVE_EVENT, [here | {"of_jti": jti} for jti in jtis])

    async def remove_all(self, stream_id: str, *, tenant: str = TENANT) -> int:
        await self._ledger.settle()
        return await self._connection.run(_REMOVE_EVENTS, _of(stream_id, tenant))


def _place(stream: SignalStream) -> dict[str, Any]:
    named = {"was_method": stream.method, "was_endpoint_url": stream.endpoint_url}
    return named | _of(stream.stream_id, stream.tenant)


def _of(stream_id: str, tenant: str) -> dict[str, str]:
    return {"of_tenant": tenant, "of_stream_id": stream_id}
