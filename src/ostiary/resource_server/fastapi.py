"""The guard in FastAPI: a security dependency, its OpenAPI scheme, JSON refusals, and the document of RFC 9728.

A browser's preflight (OPTIONS) carries no credential; ``CORSMiddleware`` answers it before any dependency is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ostiary.extras import missing_extra

try:
    from fastapi import FastAPI, HTTPException
    from fastapi.openapi.models import OAuth2 as OAuth2Model
    from fastapi.openapi.models import OAuthFlowAuthorizationCode, OAuthFlowClientCredentials, OAuthFlows
    from fastapi.responses import Response
    from fastapi.security import SecurityScopes
    from fastapi.security.base import SecurityBase
    from starlette.requests import HTTPConnection, Request
except ImportError as error:
    raise missing_extra("fastapi", error) from error

from ostiary.resource_server import starlette
from ostiary.resource_server.admission import admit
from ostiary.resource_server.asgi import api_request
from ostiary.resource_server.errors import Refused
from ostiary.resource_server.principal import Principal

if TYPE_CHECKING:
    from ostiary.resource_server.core import ResourceServer


class RefusedRequest(HTTPException):
    """A refusal as FastAPI knows it; ``refused`` is the whole of it."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.status, detail=refused.content, headers=refused.headers)
        self.refused = refused


class Scheme(SecurityBase):
    """What OpenAPI says about the guard: OAuth 2.0 with client credentials and the authorization code with PKCE.

    An issuer that says of itself that it has no authorization endpoint is shown without the code flow.
    """

    def __init__(self, guard: ResourceServer) -> None:
        self._guard = guard
        self.scheme_name = "Ostiary"

    @property
    def model(self) -> OAuth2Model:  # type: ignore[override]
        issuer = next(iter(self._guard.sources.keys))
        known = self._guard.sources.metadata(issuer)
        front = issuer.rstrip("/")
        token_url = (known and known.token_endpoint) or f"{front}/token"
        authorization_url = known.authorization_endpoint if known else f"{front}/authorize"
        scopes = self._guard.scopes
        code_flow = authorization_url and OAuthFlowAuthorizationCode(
            authorizationUrl=authorization_url, tokenUrl=token_url, scopes=scopes
        )
        return OAuth2Model(
            description=f"Access tokens of {issuer} for {self._guard.audience}",
            flows=OAuthFlows(
                clientCredentials=OAuthFlowClientCredentials(tokenUrl=token_url, scopes=scopes),
                authorizationCode=code_flow or None,
            ),
        )

    async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> Principal:
        return await depend(self._guard, connection, security_scopes)


_schemes: WeakKeyDictionary[ResourceServer, Scheme] = WeakKeyDictionary()


def scheme_of(guard: ResourceServer) -> Scheme:
    """The one scheme of ``guard``."""
    scheme = _schemes.get(guard)
    if scheme is None:
        scheme = _schemes[guard] = Scheme(guard)
    return scheme


async def depend(guard: ResourceServer, connection: HTTPConnection, security_scopes: SecurityScopes) -> Principal:
    """The caller of ``connection``. Raises RefusedRequest."""
    try:
        return await admit(guard, api_request(connection.scope), security_scopes.scopes, connection.scope)
    except Refused as refused:
        _answer_in_json(connection)
        raise RefusedRequest(refused) from refused


def furnish(guard: ResourceServer, app: Any) -> None:
    """Give an application the document of RFC 9728, and a FastAPI one's Swagger page PKCE."""
    starlette.furnish(guard, app)
    if isinstance(app, FastAPI) and app.swagger_ui_init_oauth is None:
        app.swagger_ui_init_oauth = {"usePkceWithAuthorizationCodeGrant": True}


def _answer_in_json(connection: HTTPConnection) -> None:
    # The body is {"error", ...}, not FastAPI's {"detail": ...}. An application's own handler for RefusedRequest stays.
    handlers = connection.scope.get("starlette.exception_handlers")
    if handlers is not None:
        handlers[0].setdefault(RefusedRequest, refusal_response)


async def refusal_response(_: Request, error: RefusedRequest) -> Response:
    """The answer to a refused request; also to be registered with ``app.add_exception_handler``."""
    refused = error.refused
    return Response(refused.body, refused.status, refused.headers)
