"""How clients prove themselves: each by the one method that is registered for it, never by a guess (RFC 6749 2.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.authorization_server.client_authentication import (
    client_secret_basic,
    client_secret_post,
    none,
    private_key_jwt,
    self_signed_tls_client_auth,
    spiffe_jwt,
    tls_client_auth,
)
from ostiary.authorization_server.client_authentication.base import (
    Attempt,
    Authenticated,
    Form,
    Method,
    invalid_client,
    refused,
)
from ostiary.authorization_server.http import Request
from ostiary.errors import OAuthError, VerificationError
from ostiary.model.client import Client
from ostiary.trace import Trace

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

METHODS: tuple[Method, ...] = (
    private_key_jwt.METHOD,
    spiffe_jwt.METHOD,
    tls_client_auth.METHOD,
    self_signed_tls_client_auth.METHOD,
    client_secret_basic.METHOD,
    client_secret_post.METHOD,
    none.METHOD,
)

_BY_MESSAGE = tuple(method for method in METHODS if method.proves and not method.by_certificate)
_BY_CERTIFICATE = tuple(method for method in METHODS if method.by_certificate)

__all__ = ["METHODS", "Authenticated", "Method", "authenticate"]


async def authenticate(
    server: AuthorizationServer,
    request: Request,
    form: Form,
    trace: Trace,
    now: float,
    *,
    public_clients: bool = False,
) -> Authenticated:
    """The client that proves itself by this request, or, where ``public_clients`` are let in, names itself.

    now: seconds since the epoch. Raises OAuthError("invalid_client", 401), Unavailable.
    """
    try:
        method = await _presented_method(server, request, form, public_clients)
        attempt = method.attempt(request, form)
        trace.context["client_id"] = attempt.client_id
        return await attempt.prove(server, await _registered(server, method, attempt, trace), now, trace.note)
    except VerificationError as error:
        raise _told(invalid_client(error), request) from None
    except OAuthError as error:
        raise _told(error, request) from None


async def _registered(server: AuthorizationServer, method: Method, attempt: Attempt, trace: Trace) -> Client | None:
    """The client that is claimed, if it is registered for ``method``; for any other it is as if there were none."""
    if attempt.workload:
        client = await server.registry.client_of_workload(attempt.workload)
    else:
        client = await server.registry.client(attempt.client_id)
    if client is not None and client.authentication_method != method.name:
        trace.context |= {"presented": method.name, "registered_for": client.authentication_method}
        return None
    return client


async def _presented_method(server: AuthorizationServer, request: Request, form: Form, public_clients: bool) -> Method:
    presented = [method for method in _BY_MESSAGE if method.presented(request, form)]
    # Another scheme than Basic is no method of ours, and beside one of them it is a second one.
    foreign = b"authorization" in request.headers and not client_secret_basic.tried(request)
    # "The client MUST NOT use more than one authentication method in each request." RFC 6749 2.3
    if len(presented) > 1 or foreign:
        raise refused(
            "method",
            seen=" and ".join([method.name for method in presented] + ["another Authorization header"] * foreign),
            expected="one of " + ", ".join(method.name for method in METHODS),
            mend="authenticate by the client's registered method and by nothing beside it",
            public="authenticate by one method alone" if presented else "client authentication is required",
        )
    if presented:
        return presented[0]
    # A certificate is no credential in the message: any client may show one, to bind its tokens to it. So it counts
    # where the client of this client_id is registered for it; who is no client, or another one, is refused alike.
    by_certificate = [method for method in _BY_CERTIFICATE if method.presented(request, form)]
    if by_certificate:
        client = await server.registry.client(form["client_id"])
        registered = "" if client is None else client.authentication_method
        if not (public_clients and registered == none.METHOD.name):
            return next((method for method in by_certificate if method.name == registered), by_certificate[0])
    named = [method for method in METHODS if not method.proves and method.presented(request, form)]
    if named and public_clients:
        return named[0]
    raise refused(
        "method",
        seen="a client_id alone" if named else "no credential",
        expected=" or ".join(method.name for method in METHODS if method.proves or public_clients),
        mend="authenticate by the client's registered method",
        public="client authentication is required",
    )


def _told(error: OAuthError, request: Request) -> OAuthError:
    # "If the client attempted to authenticate via the 'Authorization' request header field, the authorization server
    # MUST respond with an HTTP 401 (Unauthorized) status code and include the 'WWW-Authenticate' response header
    # field matching the authentication scheme used by the client." RFC 6749 5.2
    if client_secret_basic.tried(request):
        error.headers["WWW-Authenticate"] = client_secret_basic.CHALLENGE
    return error
