"""The answers of ACME; its refusals, with audit event and trace, are problem documents (RFC 8555 sections 6.5, 6.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.audit import tags
from ostiary.authorization_server.client_address import client_address
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.acme.urls import AcmeUrls
from ostiary.authorization_server.http import Response, json_response, report
from ostiary.authorization_server.unauthenticated import check_of
from ostiary.certificate_authority.acme.nonces import new_nonce
from ostiary.certificate_authority.acme.problems import URN, Problem, of_verification
from ostiary.errors import OAuthError, OstiaryError, Unavailable, VerificationError
from ostiary.model.event import AuditEvent
from ostiary.storage.base import UnitOfWork
from ostiary.trace import TraceRecord, new_trace_id

if TYPE_CHECKING:
    from ostiary.authorization_server.endpoints.acme.exchange import AcmeExchange

_DAY = 86_400
Header = tuple[bytes, bytes]
JSON = b"application/json"
PROBLEM = b"application/problem+json"


def headers(server: AuthorizationServer, content_type: bytes, *more: Header) -> tuple[Header, ...]:
    """What every answer has: a fresh nonce (section 6.5) and the way to the directory (section 7.1)."""
    nonce = new_nonce(server.seals.mac, server.clock())
    index = AcmeUrls(server.issuer).of("directory")
    return (
        (b"content-type", content_type),
        # No cache may hand a nonce to somebody else (section 7.2).
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"replay-nonce", nonce.encode("ascii")),
        (b"link", f'<{index}>;rel="index"'.encode()),
        *more,
    )


def told(server: AuthorizationServer, members: object, *more: Header, status: int = 200) -> Response:
    """``members`` as JSON."""
    return json_response(members, status=status, headers=headers(server, JSON, *more))


def location(url: str) -> Header:
    """The header that names what was made."""
    return (b"location", url.encode("ascii"))


def retry_after(seconds: int) -> Header:
    """When to look again."""
    return (b"retry-after", str(seconds).encode("ascii"))


async def refuse(exchange: AcmeExchange, error: Exception) -> Response:
    """Record a refusal, or a fault, in a transaction of its own; what its caller is told."""
    trace_id = new_trace_id()
    error = plain(error)
    if _gets_no_rows(exchange):
        return _counted(exchange, error, trace_id)
    if not isinstance(error, OAuthError):
        report(error, trace_id, "acme")
    if isinstance(error, Unavailable) and error.part == "storage":
        return problem(exchange.server, error, trace_id)
    try:
        async with exchange.server.storage.write() as work:
            return await record(work, exchange, error, trace_id)
    except OstiaryError as fault:
        report(fault, trace_id, "acme")
        return problem(exchange.server, Unavailable("storage") if isinstance(error, OAuthError) else error, trace_id)


async def record_unless_flooded(work: UnitOfWork, exchange: AcmeExchange, error: Exception) -> Response:
    """``record``; of callers without an account only as many as may have rows."""
    trace_id = new_trace_id()
    if _gets_no_rows(exchange):
        return _counted(exchange, plain(error), trace_id)
    return await record(work, exchange, plain(error), trace_id)


async def record(work: UnitOfWork, exchange: AcmeExchange, error: Exception, trace_id: str) -> Response:
    """Write the refusal into ``work``; what its caller is told."""
    server = exchange.server
    exchange.trace.context |= {"method": exchange.request.method, "path": exchange.request.path}
    trace = exchange.trace.refuse(error, at=exchange.now, trace_id=trace_id)
    await work.audit.append(_event(exchange, trace))
    keep = server.settings.traces.retention_days * _DAY
    await work.traces.add(trace, expires_at=int(exchange.now) + keep, source="server")
    server.on_event("refused", {"endpoint": "acme", "check": trace.checks[-1].name})
    return problem(server, error, trace_id)


def plain(error: Exception) -> Exception:
    """A failed check as a problem; everything else as it is."""
    return of_verification(error) if isinstance(error, VerificationError) else error


def problem(server: AuthorizationServer, error: Exception, trace_id: str) -> Response:
    """The problem document of ``error``, with its trace id."""
    extra: list[Header] = []
    match error:
        case Problem():
            document = error.document()
            extra = [(name.lower().encode(), value.encode("latin-1")) for name, value in error.headers.items()]
        case OAuthError():
            document = {"type": URN + "malformed", "detail": error.description, "status": error.status}
        case Unavailable():
            document = {"type": URN + "serverInternal", "detail": "temporarily unavailable, try again", "status": 503}
            extra = [retry_after(error.retry_after)]
        case _:
            document = {"type": URN + "serverInternal", "detail": "internal error", "status": 500}
    status = document["status"]
    all_headers = headers(server, PROBLEM, *extra)
    return json_response(
        {**document, "trace": trace_id}, status=status if isinstance(status, int) else 500, headers=all_headers
    )


def _gets_no_rows(exchange: AcmeExchange) -> bool:
    address = client_address(exchange.server, exchange.request)
    return exchange.found is None and not exchange.server.unauthenticated.gets_rows(address)


def _counted(exchange: AcmeExchange, error: Exception, trace_id: str) -> Response:
    server, address = exchange.server, client_address(exchange.server, exchange.request)
    server.unauthenticated.count(error, address, "acme", trace_id, now=exchange.now)
    server.on_event("refused", {"endpoint": "acme", "check": check_of(error)})
    return problem(server, error, trace_id)


def _event(exchange: AcmeExchange, trace: TraceRecord) -> AuditEvent:
    address = client_address(exchange.server, exchange.request)
    account = exchange.found
    return AuditEvent(
        tag=tags.ACME_REFUSED,
        outcome="refused" if trace.outcome == "refused" else "fault",
        at=int(exchange.now * 1000),
        actor=f"acme:{account.account_id}" if account else "",
        target=exchange.request.path,
        key_thumbprint=account.thumbprint if account else "",
        reason=trace.checks[-1].name,
        trace_id=trace.trace_id,
        personal={"address": address} if address else {},
    )
