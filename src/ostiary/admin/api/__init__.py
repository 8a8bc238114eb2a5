"""The admin API below ``/admin`` on the management address: the services of this room, guarded by our own tokens."""

from __future__ import annotations

from fastapi import Depends, FastAPI, Response
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from ostiary.admin.api import refusals
from ostiary.admin.api.apis import apis_router
from ostiary.admin.api.certificates import certificates_router
from ostiary.admin.api.client_keys import client_keys_router
from ostiary.admin.api.clients import clients_router
from ostiary.admin.api.description import DOCUMENT, MadeInAThread, known_query
from ostiary.admin.api.door import Door
from ostiary.admin.api.guard import AdminGuard
from ostiary.admin.api.history import history_router
from ostiary.admin.api.revocations import revocations_router
from ostiary.admin.api.signal_streams import signal_streams_router
from ostiary.admin.api.signing_keys import signing_keys_router
from ostiary.admin.api.tokens import tokens_router
from ostiary.admin.api.user_access import user_access_router, user_consents_router
from ostiary.admin.api.users import user_acts_router, users_router
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.errors import ConfigurationError, OAuthError, Unavailable

_ROUTERS = (
    clients_router,
    client_keys_router,
    apis_router,
    tokens_router,
    revocations_router,
    signing_keys_router,
    certificates_router,
    signal_streams_router,
    history_router,
    users_router,
    user_acts_router,
    user_access_router,
    user_consents_router,
)
_HANDLERS = {
    OAuthError: refusals.refused,
    ConfigurationError: refusals.unusable,
    RequestValidationError: refusals.unfit,
    Unavailable: refusals.unavailable,
    HTTPException: refusals.not_served,
    Exception: refusals.fault,
}
# For the OpenAPI document alone: the guard of each route is what admits and refuses.
_SCHEME = HTTPBearer(auto_error=False, description="A token of this issuer for the API <issuer>/admin.")


def create_admin_app(server: AuthorizationServer) -> FastAPI:
    """The application to mount at ``/admin``. Tokens are for the API ``<issuer>/admin``; see ``admin bootstrap``."""
    app = FastAPI(
        title="Ostiary admin API",
        description="Clients, keys, APIs, tokens, certificates. Every change is audited and binds the next request.",
        openapi_url=DOCUMENT,
        # The page loads its script from elsewhere, and an administrator types a token into it: for trying out only.
        docs_url="/docs" if server.settings.dev else None,
        redoc_url=None,
        dependencies=[Depends(_SCHEME), Depends(_no_store), Depends(known_query)],
        redirect_slashes=False,
    )
    guard = AdminGuard(server)
    for router in _ROUTERS:
        app.include_router(router(server, guard))
    app.add_middleware(MadeInAThread, described=app)
    app.add_middleware(Door, guard=guard)
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    return app


async def _no_store(response: Response) -> None:
    response.headers.update(refusals.NO_STORE)
