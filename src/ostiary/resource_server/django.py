"""The guard in Django: a middleware for what holds everywhere, a decorator for the scopes of a view; sync and async.

Settings: ``OSTIARY = {"issuer": ..., "audience": ..., "public_paths": ["/healthz"], ...}``, the arguments of
ResourceServer; each may also come from the environment. In MIDDLEWARE:
``"ostiary.resource_server.django.OstiaryMiddleware"``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import cache, wraps
from typing import Any, ParamSpec, cast

from ostiary.extras import missing_extra

try:
    from asgiref.sync import iscoroutinefunction
    from django.conf import settings
    from django.http import HttpRequest, HttpResponse, HttpResponseBase
    from django.utils.decorators import sync_and_async_middleware
except ImportError as error:
    raise missing_extra("django", error) from error

from ostiary.resource_server import wsgi
from ostiary.resource_server.admission import admit, admit_sync
from ostiary.resource_server.asgi import api_request as asgi_request
from ostiary.resource_server.core import ResourceServer
from ostiary.resource_server.errors import Refused
from ostiary.resource_server.request import ApiRequest

P = ParamSpec("P")
View = Callable[..., Any]


@cache
def guard() -> ResourceServer:
    """The one guard of this Django project, from ``settings.OSTIARY`` and the environment."""
    return ResourceServer(**{name: value for name, value in _settings().items() if name != "public_paths"})


def _settings() -> dict[str, Any]:
    return dict(getattr(settings, "OSTIARY", {}))


def api_request(request: HttpRequest) -> ApiRequest:
    """The request of a Django request, under ASGI or WSGI."""
    scope = getattr(request, "scope", None)
    return asgi_request(scope) if scope is not None else wsgi.api_request(request.META)


def memory(request: HttpRequest) -> dict[str, Any]:
    """Where an admission is remembered for the length of the request."""
    scope = getattr(request, "scope", None)
    return cast(dict[str, Any], request.META if scope is None else scope)


def _middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Refuses every request without a good credential, except to ``public_paths``; sets ``request.principal``.

    A browser's preflight (OPTIONS) carries none: the middleware that answers it stands before this one in MIDDLEWARE.
    HEAD is decided as GET is.
    It also serves the metadata of this API (RFC 9728).
    """
    own = guard()
    public = frozenset(_settings().get("public_paths", ()))

    def before(request: HttpRequest) -> HttpResponse | None:
        if request.path == own.metadata_path and request.method in ("GET", "HEAD"):
            document = HttpResponse(own.protected_resource_metadata(), content_type="application/json")
            return _without_body(document) if request.method == "HEAD" else document
        return None

    if iscoroutinefunction(get_response):

        async def serve_async(request: HttpRequest) -> HttpResponseBase:
            early = before(request)
            if early is not None:
                return early
            if request.path not in public:
                try:
                    request.principal = await admit(own, api_request(request), (), memory(request))
                except Refused as refused:
                    return answer(refused, head=request.method == "HEAD")
            return await cast(Awaitable[HttpResponseBase], get_response(request))

        return serve_async

    def serve(request: HttpRequest) -> HttpResponseBase:
        early = before(request)
        if early is not None:
            return early
        if request.path not in public:
            try:
                request.principal = admit_sync(own, api_request(request), (), memory(request))
            except Refused as refused:
                return answer(refused, head=request.method == "HEAD")
        return cast(HttpResponseBase, get_response(request))

    return serve


OstiaryMiddleware = sync_and_async_middleware(_middleware)


def requires(*scopes: str, max_age: int | None = None, acr_values: Sequence[str] = ()) -> Callable[[View], View]:
    """Admit to a view only callers that hold all of ``scopes``; with or without the middleware.

    max_age, acr_values: what is demanded of the user's sign-in, see ``ResourceServer.step_up``.
    """

    @cache
    def demanding() -> ResourceServer:
        own = guard()
        return own if max_age is None and not acr_values else own.step_up(max_age=max_age, acr_values=acr_values)

    def protect(view: View) -> View:
        if iscoroutinefunction(view):

            @wraps(view)
            async def admitted_async(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
                try:
                    request.principal = await admit(demanding(), api_request(request), scopes, memory(request))
                except Refused as refused:
                    return answer(refused, head=request.method == "HEAD")
                return await view(request, *args, **kwargs)

            return admitted_async

        @wraps(view)
        def admitted(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            try:
                request.principal = admit_sync(demanding(), api_request(request), scopes, memory(request))
            except Refused as refused:
                return answer(refused, head=request.method == "HEAD")
            return view(request, *args, **kwargs)

        return admitted

    return protect


def answer(refused: Refused, *, head: bool = False) -> HttpResponse:
    """The answer to a refused request. head: without its body, which a server need not take out."""
    response = HttpResponse(refused.body, status=refused.status)
    for name, value in refused.headers.items():
        response[name] = value
    return _without_body(response) if head else response


def _without_body(response: HttpResponse) -> HttpResponse:
    """RFC 9110 section 9.3.2: the length is that of the answer to GET."""
    response["Content-Length"] = str(len(response.content))
    response.content = b""
    return response
