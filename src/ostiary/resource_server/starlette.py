"""The guard in Starlette: an AuthenticationBackend for its AuthenticationMiddleware.

A browser's preflight (OPTIONS) carries no credential; ``CORSMiddleware`` stands before AuthenticationMiddleware and
answers it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostiary.extras import missing_extra

try:
    from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, BaseUser
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import Response
    from starlette.routing import Route
except ImportError as error:
    raise missing_extra("starlette", error) from error

from ostiary.resource_server.admission import admit
from ostiary.resource_server.asgi import api_request
from ostiary.resource_server.errors import Refused
from ostiary.resource_server.principal import Principal

if TYPE_CHECKING:
    from ostiary.resource_server.core import ResourceServer


class Caller(BaseUser):
    """``request.user``: the Principal in Starlette's words."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def display_name(self) -> str:
        return self.principal.client_id

    @property
    def identity(self) -> str:
        return self.principal.client_id


class RefusedCredential(AuthenticationError):
    """A refusal as Starlette knows it; ``refused`` is the whole of it."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.description)
        self.refused = refused


class OstiaryBackend(AuthenticationBackend):
    """For ``Middleware(AuthenticationMiddleware, backend=OstiaryBackend(guard), on_error=on_error)``.

    A request without a credential is anonymous, so that ``@requires`` decides; a bad credential is refused at once.
    ``request.auth.scopes`` holds ``authenticated`` and the scopes as granted. anonymous: False refuses those without a
    credential too.
    """

    def __init__(self, guard: ResourceServer, *, anonymous: bool = True) -> None:
        self._guard = guard
        self._anonymous = anonymous

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        request = api_request(conn.scope)
        if conn.scope["type"] == "http" and conn.scope["path"] == self._guard.metadata_path:
            return None  # RFC 9728: what tells a stranger where to get a token is for strangers
        if self._anonymous and not self._guard.presented(request):
            return None
        try:
            principal = await admit(self._guard, request, (), conn.scope)
        except Refused as refused:
            raise RefusedCredential(refused) from refused
        return AuthCredentials(["authenticated", *sorted(principal.scopes)]), Caller(principal)


def on_error(_: HTTPConnection, error: Exception) -> Response:
    """The answer to a refused credential."""
    if not isinstance(error, RefusedCredential):
        return Response('{"error":"invalid_token"}', 401, {"WWW-Authenticate": "Bearer"}, "application/json")
    refused = error.refused
    return Response(refused.body, refused.status, refused.headers)


def furnish(guard: ResourceServer, app: Any) -> None:
    """Give an application the document of RFC 9728, if it has a router and the API a URL."""
    router = getattr(app, "router", None)
    if guard.metadata_path is None or router is None:
        return
    if any(isinstance(route, Route) and route.path == guard.metadata_path for route in router.routes):
        return  # an application may be started more than once, as its tests do

    async def document(_: Request) -> Response:
        return Response(guard.protected_resource_metadata(), media_type="application/json")

    router.routes.insert(0, Route(guard.metadata_path, document, methods=["GET"], include_in_schema=False))
