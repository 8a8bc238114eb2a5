"""The admin API below ``/admin`` on the management address: the services of this room, guarded by our own tokens."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from ostiary.admin.api.apis import apis_router
from ostiary.admin.api.client_keys import client_keys_router
from ostiary.admin.api.clients import clients_router
from ostiary.admin.api.guard import AdminGuard, refused
from ostiary.admin.api.history import history_router
from ostiary.admin.api.signing_keys import signing_keys_router
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.errors import ConfigurationError, OAuthError, Unavailable

_ROUTERS = (clients_router, client_keys_router, apis_router, signing_keys_router, history_router)


def create_admin_app(server: AuthorizationServer) -> FastAPI:
    """The application to mount at ``/admin``. Tokens are for the API ``<issuer>/admin``; see ``admin bootstrap``."""
    app = FastAPI(
        title="Ostiary admin API",
        description="Clients, keys, APIs, signing keys, audit. Every change is audited and binds the next request.",
        openapi_url="/openapi.json",
        docs_url="/docs",
        redoc_url=None,
    )
    guard = AdminGuard(server)
    for router in _ROUTERS:
        app.include_router(router(server, guard))
    app.add_exception_handler(OAuthError, refused)
    app.add_exception_handler(ConfigurationError, _unusable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Unavailable, _unavailable)
    return app


async def _unusable(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": "invalid_request", "error_description": str(error)}, status_code=400)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    where = [{"where": ".".join(map(str, fault["loc"])), "problem": fault["msg"]} for fault in faults]
    message = "; ".join(f"{fault['where']}: {fault['problem']}" for fault in where)
    return JSONResponse({"error": "invalid_request", "error_description": message, "faults": where}, status_code=422)


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    retry = error.retry_after if isinstance(error, Unavailable) else 1
    body = {"error": "temporarily_unavailable", "error_description": "temporarily unavailable, try again"}
    return JSONResponse(body, status_code=503, headers={"Retry-After": str(retry)})
