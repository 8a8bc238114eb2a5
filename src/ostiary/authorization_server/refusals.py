"""A refusal is a write: its audit event and its trace go into one transaction, and the caller gets the trace id.

Only of callers that nobody knows there may be too many for that: ``unauthenticated`` says which of theirs are written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.authorization_server.http import Response, error_response, report
from ostiary.authorization_server.unauthenticated import check_of
from ostiary.errors import OAuthError, OstiaryError, Unavailable
from ostiary.model.event import AuditEvent
from ostiary.storage.base import Unanswered, UnitOfWork
from ostiary.trace import TraceRecord, new_trace_id

if TYPE_CHECKING:
    from ostiary.authorization_server.exchange import Exchange

_DAY = 86_400


async def record_unless_flooded(work: UnitOfWork, exchange: Exchange, error: Exception) -> Response:
    """``record``, but of callers that have proved nothing, public clients among them, only as many as may have rows."""
    trace_id = new_trace_id()
    if _gets_no_rows(exchange):
        return _counted(exchange, error, trace_id)
    return await record(work, exchange, error, trace_id)


async def record(work: UnitOfWork, exchange: Exchange, error: Exception, trace_id: str | None = None) -> Response:
    """Write the refusal (or fault) into ``work`` and return what the caller is told."""
    caller = exchange.caller
    if caller is not None:
        caller.retrace(exchange.trace.note)
    exchange.trace.context |= {"method": exchange.request.method, "path": exchange.request.path}
    trace = exchange.trace.refuse(error, at=exchange.now, trace_id=trace_id)
    await work.audit.append(_event(exchange, trace))
    keep = exchange.server.settings.traces.retention_days * _DAY
    await work.traces.add(trace, expires_at=int(exchange.now) + keep, source="server")
    exchange.server.on_event("refused", {"endpoint": exchange.trace.kind, "check": trace.checks[-1].name})
    return error_response(error, trace.trace_id)


async def answer(exchange: Exchange, error: Exception, trace_id: str | None = None) -> Response:
    """Record a refusal that happened outside a transaction, in one of its own.

    If the database cannot take it, nothing is decided: the answer is 503 (500 for a fault of our own), and its trace id
    stands in the log.
    """
    trace_id = trace_id or new_trace_id()
    if _gets_no_rows(exchange):
        return _counted(exchange, error, trace_id)
    if not isinstance(error, OAuthError):
        report(error, trace_id, exchange.trace.kind)
    if _is_not_written(exchange, error):
        return _told_only(exchange, error, trace_id)
    try:
        async with exchange.server.storage.write() as work:
            return await record(work, exchange, error, trace_id)
    except OstiaryError as fault:
        return _unrecorded(exchange, error, fault, trace_id)


def _is_not_written(exchange: Exchange, error: Exception) -> bool:
    """What would wait for the same database again, or be dated by a wrong clock, stands in the log alone."""
    if not isinstance(error, Unavailable):
        return False
    return isinstance(error, Unanswered) or error.part == "clock" or (exchange.writing and error.part == "storage")


def _gets_no_rows(exchange: Exchange) -> bool:
    if exchange.caller is not None and not exchange.caller.is_public:
        return False
    return not exchange.server.unauthenticated.gets_rows(exchange.address)


def _counted(exchange: Exchange, error: Exception, trace_id: str) -> Response:
    server, check = exchange.server, check_of(error)
    server.unauthenticated.count(error, exchange.address, exchange.trace.kind, trace_id, now=exchange.now)
    server.on_event("refused", {"endpoint": exchange.trace.kind, "check": check})
    return error_response(error, trace_id)


def _unrecorded(exchange: Exchange, error: Exception, fault: OstiaryError, trace_id: str) -> Response:
    report(fault, trace_id, exchange.trace.kind)
    if isinstance(error, OAuthError):
        error = fault if isinstance(fault, Unavailable) else Unavailable("storage")
    return _told_only(exchange, error, trace_id)


def _told_only(exchange: Exchange, error: Exception, trace_id: str) -> Response:
    exchange.server.on_event("refused", {"endpoint": exchange.trace.kind, "check": "storage"})
    return error_response(error, trace_id)


def _event(exchange: Exchange, trace: TraceRecord) -> AuditEvent:
    caller, address = exchange.caller, exchange.address
    details = {name: value for name, value in trace.context.items() if name not in ("method", "path")}
    if caller is not None:
        details.pop("client_id", None)
    return AuditEvent(
        tag=exchange.refused_tag,
        outcome="refused" if trace.outcome == "refused" else "fault",
        at=int(exchange.now * 1000),
        actor=caller.client.client_id if caller else "",
        key_thumbprint=caller.key_thumbprint if caller else "",
        reason=trace.checks[-1].name,
        trace_id=trace.trace_id,
        details=details,
        personal={"address": address} if address else {},
    )
