"""Who may use the admin API: an access token of our own for ``<issuer>/admin``, judged by its record each time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request

from ostiary.audit import tags
from ostiary.authorization_server import issued_tokens
from ostiary.authorization_server.admin_resource import READ, WRITE, admin_identifier, metadata_url
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.sender_constraint import check_bound
from ostiary.errors import OAuthError
from ostiary.model.event import AuditEvent
from ostiary.model.token import AccessToken
from ostiary.protocol import challenges
from ostiary.revocation.act import Act
from ostiary.trace import Trace, new_trace_id

_DAY = 86_400
_NO_TOKEN = "no token was sent"
_READING = frozenset({"GET", "HEAD"})


class AdminGuard:
    """Refusals are audited and traced like those of the endpoints."""

    def __init__(self, server: AuthorizationServer) -> None:
        self._server = server

    async def admit(self, request: Request) -> None:
        """Judge the token, before anything else of the request is read. Raises OAuthError, Unavailable."""
        now, address = self._server.clock(), _address(request)
        trace = Trace("admin", {"method": request.method, "path": request.url.path})
        try:
            request.state.admin_token = await self._judge(request, trace, now)
        except OAuthError as error:
            scope = READ if request.method in _READING else WRITE
            if self._server.unauthenticated.gets_rows(address):
                raise await self._recorded(error, trace, now, address, scope) from error
            trace_id = new_trace_id()
            self._server.unauthenticated.count(error, address, "admin", trace_id, now=now)
            raise self._challenged(error, trace_id, scope) from error
        request.state.admin_trace = trace

    async def record_read(self, request: Request) -> None:
        """Write down that an admitted request reads, before it is answered. Raises Unavailable."""
        act = self._act(request, self._server.clock())
        async with self._server.storage.write() as work:
            await work.audit.append(act.event(tags.ADMIN_READ, request.url.path))

    def requires(self, scope: str) -> Callable[[Request], Awaitable[Act]]:
        """A FastAPI dependency that lets a token with ``scope`` go on; ``admin:write`` implies ``admin:read``.

        RFC 6750 3.1, insufficient_scope: "The request requires higher privileges than provided by the access token".
        """

        async def allowed(request: Request) -> Act:
            now, address = self._server.clock(), _address(request)
            token: AccessToken = request.state.admin_token
            held = set(token.scope.split())
            if scope not in held and not (scope == READ and WRITE in held):
                raise await self._recorded(_poor(token, scope), request.state.admin_trace, now, address, scope)
            return self._act(request, now)

        return allowed

    @staticmethod
    def _act(request: Request, now: float) -> Act:
        token: AccessToken = request.state.admin_token
        personal = _at(_address(request))
        return Act(f"admin:{token.client_id}", now, key_thumbprint=token.key_thumbprint, personal=personal)

    async def _judge(self, request: Request, trace: Trace, now: float) -> AccessToken:
        server = self._server
        text = _bearer(request)
        trace.note("format", "a bearer token", "a bearer token")
        await server.registry.current()
        expected = admin_identifier(server.issuer)
        api = await server.registry.api(expected)
        async with server.storage.read() as work:
            token = await issued_tokens.named(server, text, now).find(work)
            if token is None:
                raise _unauthorized("token", "the token is not known", "no such token", "a token of this issuer")
            trace.context["client_id"] = token.client_id
            if api is None or token.audience != expected:
                raise _unauthorized("audience", "audience mismatch", token.audience, expected)
            trace.note("audience", token.audience, expected)
            if token.subject != token.client_id:
                # What a user allows an application is the user's; nobody makes it an administrator by a consent.
                raise _of_a_user(token)
            trace.note("subject", token.subject, token.client_id)
            if (fault := await issued_tokens.fault(server, work, token, api, now)) is not None:
                raise _unauthorized("state", "the token is not active", fault, "an active token")
        trace.note("state", "active", "active")
        check_bound(token, (request.scope.get("extensions") or {}).get("tls", {}).get("client_certificate"))
        return token

    async def _recorded(self, error: OAuthError, trace: Trace, now: float, address: str, scope: str) -> OAuthError:
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
        return self._challenged(error, record.trace_id, scope)

    def _challenged(self, error: OAuthError, trace_id: str, scope: str) -> OAuthError:
        """The refusal with its challenge: RFC 9728 section 5.1, with the scope that the request needs."""
        # RFC 6750 3.1: a request that "lacks any authentication information" gets no error code.
        named = error.description != _NO_TOKEN
        error.headers["WWW-Authenticate"] = challenges.bearer(
            error=error.code if named else None,
            error_description=error.description if named else None,
            scope=scope,
            resource_metadata=metadata_url(self._server.issuer),
            trace=trace_id,
        )
        error.headers["Ostiary-Trace"] = trace_id
        return error


def _poor(token: AccessToken, scope: str) -> OAuthError:
    return OAuthError(
        "insufficient_scope",
        "scope is missing",
        status=403,
        check="scope",
        seen=token.scope,
        expected=scope,
        mend=f"get a token with the scope {scope}",
    )


def _of_a_user(token: AccessToken) -> OAuthError:
    return OAuthError(
        "invalid_token",
        "a token of a user is refused",
        status=401,
        check="subject",
        seen=token.subject,
        expected=f"{token.client_id}, the client itself",
        mend="let a client of its own ask by client_credentials, without a user: see `ostiary admin bootstrap`",
    )


def _bearer(request: Request) -> str:
    values = request.headers.getlist("authorization")
    if "access_token" in request.query_params:
        # RFC 9700 4.3.2: "Clients MUST NOT pass access tokens in a URI query parameter"; they end in logs.
        raise _unauthorized("format", "a token in the URL is refused", "access_token in the query", "a header")
    if not values:
        raise _unauthorized("format", _NO_TOKEN, "no Authorization header", "Authorization: Bearer")
    scheme, _, text = values[0].partition(" ")
    if len(values) > 1 or scheme.lower() != "bearer" or not text or " " in text:
        raise _unauthorized("format", "the token cannot be read", "another form", "one Authorization: Bearer header")
    return text


def _unauthorized(check: str, public: str, seen: str, expected: str) -> OAuthError:
    return OAuthError(
        "invalid_token",
        public,
        status=401,
        check=check,
        seen=seen,
        expected=expected,
        mend="get a token for the admin API: see `ostiary admin bootstrap`",
    )


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _at(address: str) -> dict[str, str]:
    return {"address": address} if address else {}
