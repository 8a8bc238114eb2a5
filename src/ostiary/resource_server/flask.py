"""The guard in Flask: a decorator for views, sync and async, and an extension."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ostiary.extras import missing_extra

try:
    from flask import Flask, Response, g, request
except ImportError as error:
    raise missing_extra("flask", error) from error

from ostiary.resource_server.admission import admit, admit_sync
from ostiary.resource_server.errors import Refused
from ostiary.resource_server.principal import Principal
from ostiary.resource_server.wsgi import api_request

if TYPE_CHECKING:
    from ostiary.resource_server.core import ResourceServer

P = ParamSpec("P")
Result = TypeVar("Result")
View = Callable[P, Result]


class FlaskGuard:
    """``auth = FlaskGuard(guard, app)``, then ``@auth.requires("orders:read")`` below the route of a view.

    The caller is ``flask.g.principal`` or ``ostiary.resource_server.flask.principal()``. The application answers
    refusals and the document of RFC 9728. HEAD is decided as GET is. Flask answers OPTIONS by itself, without the
    view, so what a preflight needs is for a CORS extension in front; a view that takes OPTIONS itself is guarded.
    """

    def __init__(self, guard: ResourceServer, app: Flask | None = None) -> None:
        self._guard = guard
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Register the answer to refusals and the metadata of this API."""
        app.register_error_handler(Refused, _answer)
        app.extensions["ostiary"] = self
        if self._guard.metadata_path is not None:
            app.add_url_rule(self._guard.metadata_path, "ostiary_metadata", self._document)

    def requires(
        self, *scopes: str, max_age: int | None = None, acr_values: Sequence[str] = ()
    ) -> Callable[[View[P, Result]], View[P, Result]]:
        """Admit only callers that hold all of ``scopes``. An async view is awaited as Flask does, in its own loop.

        max_age, acr_values: what is demanded of the user's sign-in, see ``ResourceServer.step_up``.
        """
        guard = (
            self._guard
            if max_age is None and not acr_values
            else self._guard.step_up(max_age=max_age, acr_values=acr_values)
        )

        def protect(view: View[P, Result]) -> View[P, Result]:
            if iscoroutinefunction(view):

                @wraps(view)
                async def admitted_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                    environ = request.environ
                    g.principal = await admit(guard, api_request(environ), scopes, environ)
                    return await view(*args, **kwargs)

                return admitted_async  # type: ignore[return-value]

            @wraps(view)
            def admitted(*args: P.args, **kwargs: P.kwargs) -> Result:
                environ = request.environ
                g.principal = admit_sync(guard, api_request(environ), scopes, environ)
                return view(*args, **kwargs)

            return admitted

        return protect

    def _document(self) -> Response:
        return Response(self._guard.protected_resource_metadata(), mimetype="application/json")


def principal() -> Principal:
    """The caller of the present request. Raises AttributeError in a view that requires none."""
    caller: Principal = g.principal
    return caller


def _answer(refused: Refused) -> Response:
    return Response(refused.body, refused.status, refused.headers)
