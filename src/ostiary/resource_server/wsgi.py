"""The guard in front of a WSGI application (PEP 3333)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ostiary.resource_server.admission import admit_sync
from ostiary.resource_server.errors import Refused
from ostiary.resource_server.peer import Peer
from ostiary.resource_server.request import ApiRequest

if TYPE_CHECKING:
    from ostiary.resource_server.core import ResourceServer

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]
PRINCIPAL = "ostiary.principal"
_PATH_SAFE = "/%:@!$&'()*+,;=~-._"


def api_request(environ: Environ) -> ApiRequest:
    """The request of a WSGI environ.

    WSGI hands the path over decoded; it is encoded anew, so a path with an encoded slash cannot be named in ``htu``.
    A header sent twice arrives joined by a comma, which no credential survives.
    """
    headers = [
        (name[5:].replace("_", "-").lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in environ.items()
        if name.startswith("HTTP_")
    ]
    path = (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1")
    return ApiRequest(
        environ["REQUEST_METHOD"],
        quote(path, safe=_PATH_SAFE.replace("%", "")),
        headers=headers,
        query=environ.get("QUERY_STRING", "").encode("latin-1"),
        peer=partial(peer_of, environ),
    )


def peer_of(environ: Environ) -> Peer:
    """The peer of a WSGI environ; servers leave ``REMOTE_ADDR`` empty for a Unix socket, which has no address.

    That there is none at all does not suffice: what runs WSGI below ASGI leaves it out where the server knows no peer,
    and of one that has reset its connection none does.
    WSGI knows no hyphens: ``Client_Cert`` is ``Client-Cert`` here. gunicorn, waitress, Werkzeug and Django's own server
    drop such names; under a server that does not, the proxy alone keeps them out, as nginx does.
    """
    by_unix_socket = environ.get("REMOTE_ADDR") == "" and not environ.get("REMOTE_PORT")
    return Peer(unix_socket=by_unix_socket, variables=environ)


class WsgiGuard:
    """Lets through whoever the guard admits; the Principal is ``environ["ostiary.principal"]``.

    Nobody passes without a credential, a browser's preflight (OPTIONS) neither: the layer that answers it stands in
    front of the guard. HEAD is decided as GET is.
    scopes: needed for every request. public: paths that anyone may ask for, such as ``/healthz``.
    """

    def __init__(
        self, app: App, guard: ResourceServer, *, scopes: Sequence[str] = (), public: Collection[str] = ()
    ) -> None:
        self._app = app
        self._guard = guard
        self._scopes = tuple(scopes)
        self._public = frozenset(public)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        head = environ["REQUEST_METHOD"] == "HEAD"
        document = well_known(self._guard, environ)
        if document is not None:
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(document)))])
            return [] if head else [document]
        if environ.get("PATH_INFO", "") not in self._public:
            try:
                environ[PRINCIPAL] = admit_sync(self._guard, api_request(environ), self._scopes, environ)
            except Refused as refused:
                return answer(refused, start_response, head=head)
        return self._app(environ, start_response)


def well_known(guard: ResourceServer, environ: Environ) -> bytes | None:
    """The document of RFC 9728, if that is what is asked for."""
    asked = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    if asked == guard.metadata_path and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
        return guard.protected_resource_metadata()
    return None


def answer(refused: Refused, start_response: StartResponse, *, head: bool = False) -> list[bytes]:
    """The answer to a refused request. head: without its body, which a WSGI server need not take out."""
    headers = [*refused.headers.items(), ("Content-Length", str(len(refused.body)))]
    start_response(f"{refused.status} {HTTPStatus(refused.status).phrase}", headers)
    return [] if head else [refused.body]
