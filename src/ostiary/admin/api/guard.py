"""Who may use the admin API: an access token of our own for ``<issuer>/admin``, judged by its record each time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.responses import JSONResponse

from ostiary.audit import tags
from ostiary.authorization_server import issued_tokens
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.errors import OAuthError, Unavailable
from ostiary.model.event import AuditEvent
from ostiary.model.token import AccessToken
from ostiary.protocol import challenges
from ostiary.revocation.act import Act
from ostiary.trace import Trace, new_trace_id

READ = "admin:read"
WRITE = "admin:write"
SCOPES = {READ: "see clients, keys, APIs, audit and traces", WRITE: "change clients, keys and APIs"}

_DAY = 86_400


def admin_identifier(issuer: str) -> str:
    """The identifier of the admin API: ``resource`` in the token request."""
    return f"{issuer}/admin"


class AdminGuard:
    """Refusals are audited and traced like those of the endpoints."""

    def __init__(self, server: AuthorizationServer) -> None:
        self._server = server

    def requires(self, scope: str) -> Callable[[Request], Awaitable[Act]]:
        """A FastAPI dependency that admits a token with ``scope`` (``admin:write`` implies ``admin:read``)."""

        async def admitted(request: Request) -> Act:
            now = self._server.clock()
            address = request.client.host if request.client else ""
            trace = Trace("admin", {"method": request.method, "path": request.url.path})
            try:
                token = await self._judge(request, scope, trace, now)
            except OAuthError as error:
                raise await self._recorded(error, trace, now, address) from error
            return Act(f"admin:{token.client_id}", now, key_thumbprint=token.key_thumbprint, personal=_at(address))

        return admitted

    async def _judge(self, request: Request, scope: str, trace: Trace, now: float) -> AccessToken:
        server = self._server
        text = _bearer(request)
        trace.note("format", "a bearer token", "a bearer token")
        await server.registry.current()
        async with server.storage.read() as work:
            token = await issued_tokens.named(server, text, now).find(work)
            if token is None:
                raise _unauthorized("token", "the token is not known", "no such token", "a token of this issuer")
            trace.context["client_id"] = token.client_id
            if (fault := await issued_tokens.fault(server, work, token, now)) is not None:
                raise _unauthorized("state", "the token is not active", fault, "an active token")
        trace.note("state", "active", "active")
        expected = admin_identifier(server.issuer)
        if token.audience != expected:
            raise _unauthorized("audience", "audience mismatch", token.audience, expected)
        trace.note("audience", token.audience, expected)
        held = set(token.scope.split())
        if scope not in held and not (scope == READ and WRITE in held):
            challenge = challenges.bearer(error="insufficient_scope", error_description="scope is missing", scope=scope)
            raise OAuthError(
                "insufficient_scope",
                "scope is missing",
                status=403,
                headers={"WWW-Authenticate": challenge},
                check="scope",
                seen=token.scope,
                expected=scope,
                mend=f"get a token with the scope {scope}",
            )
        return token

    async def _recorded(self, error: OAuthError, trace: Trace, now: float, address: str) -> OAuthError:
        record = trace.refuse(error, at=now, trace_id=new_trace_id())
        event = AuditEvent(
            tags.ADMIN_REFUSED,
            "refused",
            int(now * 1000),
            actor=record.context.get("client_id", ""),
            reason=record.checks[-1].name,
            trace_id=record.trace_id,
            details={"method": record.context["method"], "path": record.context["path"]},
            personal=_at(address),
        )
        keep = self._server.settings.traces.retention_days * _DAY
        async with self._server.storage.write() as work:
            await work.audit.append(event)
            await work.traces.add(record, expires_at=int(now) + keep, source="server")
        error.headers["Ostiary-Trace"] = record.trace_id
        return error


async def refused(_: Request, error: Exception) -> JSONResponse:
    """The answer to a refusal: RFC 6750 section 3, with the trace id."""
    if not isinstance(error, OAuthError):
        raise Unavailable("admin API", type(error).__name__) from error
    body = {
        "error": error.code,
        "error_description": error.description,
        "trace": error.headers.get("Ostiary-Trace", ""),
    }
    return JSONResponse(body, status_code=error.status, headers=error.headers)


def _bearer(request: Request) -> str:
    values = request.headers.getlist("authorization")
    if not values:
        raise _unauthorized("format", "no token was sent", "no Authorization header", "Authorization: Bearer", code="")
    scheme, _, text = values[0].partition(" ")
    if len(values) > 1 or scheme.lower() != "bearer" or not text or " " in text:
        raise _unauthorized("format", "the token cannot be read", "another form", "one Authorization: Bearer header")
    return text


def _unauthorized(check: str, public: str, seen: str, expected: str, *, code: str = "invalid_token") -> OAuthError:
    # RFC 6750 3.1: a request without credentials gets no error code.
    challenge = challenges.bearer(error=code or None, error_description=public if code else None)
    return OAuthError(
        code or "invalid_request",
        public,
        status=401,
        headers={"WWW-Authenticate": challenge},
        check=check,
        seen=seen,
        expected=expected,
        mend="get a token for the admin API: see `ostiary admin bootstrap`",
    )


def _at(address: str) -> dict[str, str]:
    return {"address": address} if address else {}
