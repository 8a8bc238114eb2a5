"""What a person is told when a page cannot go on: RFC 6749 section 4.1.2.1, RFC 9700 section 4.11.2."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ostiary.authorization_server.authorization.flow import RefusedToPerson
from ostiary.authorization_server.browser import cookies
from ostiary.authorization_server.client_address import client_address
from ostiary.authorization_server.http import Request, Response, report
from ostiary.errors import OAuthError, OstiaryError, Unavailable, VerificationError
from ostiary.trace import new_trace_id
from ostiary.user_authentication.pages import render

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

PageHandler = Callable[["AuthorizationServer", Request], Awaitable[Response]]


def page(handler: PageHandler) -> PageHandler:
    """``handler``, whose errors become a page instead of JSON. Nobody is redirected anywhere by an error."""

    async def shown(server: AuthorizationServer, request: Request) -> Response:
        try:
            return await handler(server, request)
        except OstiaryError as error:
            return error_page(server, request, error)

    return shown


def flow_page(handler: PageHandler) -> PageHandler:
    """``handler``, whose refusals that no client may be told become a page, under the trace that recorded them."""

    async def shown(server: AuthorizationServer, request: Request) -> Response:
        try:
            return await handler(server, request)
        except RefusedToPerson as refusal:
            response = error_page(server, request, refusal.error, refusal.trace_id)
            response.headers += refusal.headers
            return response

    return shown


def error_page(
    server: AuthorizationServer, request: Request, error: OstiaryError, trace_id: str | None = None
) -> Response:
    """The page for ``error``; what it may say is what any caller may be told. trace_id: of one that is recorded."""
    if trace_id is None:
        trace_id = new_trace_id()
        if isinstance(error, OAuthError | VerificationError):
            # Anybody can ask for a page that is refused, as often as they like: counted, so that no log is filled.
            address = client_address(server, request)
            server.unauthenticated.count(error, address, request.path, trace_id, now=server.clock())
        else:
            report(error, trace_id, request.path)
    kind, message, mend, status = _told(error)
    secrets = cookies.read(server, request)
    return render(
        server, request, secrets, "error", status=status, kind=kind, message=message, mend=mend, trace=trace_id
    )


def _told(error: OstiaryError) -> tuple[str, str, str, int]:
    """The kind by which the catalogue names it, what happened, the mend, the status."""
    if isinstance(error, OAuthError):
        return "refused", error.description, "", error.status
    if isinstance(error, VerificationError):
        return "expired", error.public, error.mend, 400
    if isinstance(error, Unavailable):
        return "unavailable", "", "", 503
    return "fault", "", "", 500
