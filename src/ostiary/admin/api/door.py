"""The door of the admin API: no request goes further, to whatever route, before its token is judged.

So a route cannot be left open by forgetting its guard, and of an uninvited request no body is read.
"""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ostiary.admin.api.description import DOCUMENT
from ostiary.admin.api.guard import AdminGuard
from ostiary.admin.api.refusals import doubled, told_refusal, told_unavailable, too_large, unsaid_length
from ostiary.errors import OAuthError, Unavailable

MAX_BODY: Final = 2_097_152
_OPEN: Final = frozenset({DOCUMENT, "/docs"})


class Door:
    """ASGI middleware around the routes; the description of the API is open to all."""

    def __init__(self, app: ASGIApp, guard: AdminGuard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].removeprefix(scope.get("root_path", "")) in _OPEN:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            await self._guard.admit(request)
        except OAuthError as error:
            await told_refusal(error)(scope, receive, send)
            return
        except Unavailable as error:
            await told_unavailable(error)(scope, receive, send)
            return
        declared = request.headers.get("content-length", "0")
        if not declared.isdigit() or int(declared) > MAX_BODY:
            await too_large(MAX_BODY)(scope, receive, send)
            return
        if "transfer-encoding" in request.headers:
            await unsaid_length()(scope, receive, send)
            return
        names = [name for name, _ in request.query_params.multi_items()]
        if len(set(names)) != len(names):
            # Of two values one would be looked at and the other perhaps meant.
            await doubled()(scope, receive, send)
            return
        await self._serve(request, receive, send)

    async def _serve(self, request: Request, receive: Receive, send: Send) -> None:
        """Go on to the route. What was read is told only once the audit log holds that it was."""
        fault: Unavailable | None = None

        async def tell(message: Message) -> None:
            nonlocal fault
            if request.method == "GET" and message["type"] == "http.response.start" and message["status"] < 300:
                try:
                    await self._guard.record_read(request)
                except Unavailable as error:
                    fault = error
            if fault is None:
                await send(message)

        await self._app(request.scope, receive, tell)
        if fault is not None:
            await told_unavailable(fault)(request.scope, receive, send)
